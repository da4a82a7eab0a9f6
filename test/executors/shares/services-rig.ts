import { planJob } from '../../../src/api/job-planner.ts';
import { RemoteRunServices } from '../../../src/executors/shares/remote-run-services.ts';
import { type InvalidRequest, RunServices } from '../../../src/executors/shares/desks/run-services.ts';
import type { ServiceReply, ServiceRequest } from '../../../src/executors/shares/service-messages.ts';
import {
  LocalServices,
  type SharedServices,
  type SharedServicesOptions,
} from '../../../src/executors/shares/shared-services.ts';
import type { ExecutorId, RunId } from '../../../src/ids.ts';
import { fromArray, forEach, Job } from '../../../src/index.ts';
import type { JobPlan } from '../../../src/run/job-plan.ts';
import { roughLink } from '../../../src/testing/rough-link.ts';
import { seededRandom } from '../../../src/testing/seeded-random.ts';
import { type VirtualEnvironment, virtualEnvironment } from '../../../src/testing/virtual-environment.ts';

export interface RigOptions {
  readonly plan?: JobPlan;
  readonly seed?: number;
  readonly options?: Partial<SharedServicesOptions>;
  readonly executors?: number;
}

/** The services of a run for several executors, on virtual time. */
export interface ServicesRig {
  readonly environment: VirtualEnvironment;
  /** Those of each executor. */
  readonly services: readonly SharedServices[];
  readonly logged: (readonly [level: string, message: string, data: unknown])[];
  readonly invalid: InvalidRequest[];
  /** Ends an executor; what it says afterwards is not heard. */
  lose(executor: number): void;
  /** Another executor. */
  add(): SharedServices;
  /** Closes the services of the executors, then those of the run. */
  close(): Promise<void>;
}

/** A job whose services are asked for by hand. */
export function smallPlan(): JobPlan {
  const job = Job.create('small', { parallelism: 1 });
  job.source('numbers', fromArray([1])).sink(
    'seen',
    forEach(() => {}),
  );
  return planJob(job);
}

function base({ seed = 1, options }: RigOptions) {
  const logged: ServicesRig['logged'] = [];
  const at = (level: string) => (message: string, data?: unknown) => void logged.push([level, message, data]);
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const environment = virtualEnvironment({ seed, logger });
  const unlimited = Number.POSITIVE_INFINITY;
  const resolved: SharedServicesOptions = {
    ...{ run: 'run' as RunId, environment, cancellationTimeoutMs: 1_000 },
    ...{ memoryBudgetBytes: unlimited, diskBudgetBytes: unlimited },
    ...options,
  };
  return { environment, logged, resolved };
}

/** Executors that share a thread. */
export function localRig(given: RigOptions = {}): ServicesRig {
  const { plan = smallPlan(), executors = 3 } = given;
  const { environment, logged, resolved } = base(given);
  const local = new LocalServices(plan, resolved);
  const services = Array.from({ length: executors }, () => local);
  return {
    ...{ environment, logged, services, invalid: [] },
    lose: () => {},
    add: () => local,
    close: () => local.close(),
  };
}

/** Executors that hear the run, and it them, by messages that are cloned, delayed, and repeated as the seed draws. */
export function remoteRig(given: RigOptions = {}): ServicesRig {
  const { plan = smallPlan(), seed = 1, executors = 3 } = given;
  const { environment, logged, resolved } = base(given);
  const link = roughLink(environment.clock, seededRandom(seed).fork('link'));
  const invalid: InvalidRequest[] = [];
  const run = new RunServices(plan, resolved, { invalid: (_, found) => invalid.push(found) });
  const services: SharedServices[] = [];
  const closing: (() => void)[] = [];
  const add = (): SharedServices => {
    const index = services.length;
    const [there, here] = link<readonly ServiceReply[], readonly ServiceRequest[]>();
    run.accept(`worker-${index}` as ExecutorId, there);
    const added = new RemoteRunServices(plan, resolved, here);
    services.push(added);
    closing.push(() => here.close('lost'));
    return added;
  };
  for (let index = 0; index < executors; index++) add();
  return {
    ...{ environment, logged, services, invalid, add },
    lose: (index) => {
      closing[index]?.();
      run.lost(`worker-${index}` as ExecutorId);
    },
    close: async () => {
      await Promise.all(services.map((service) => service.close()));
      await run.close();
    },
  };
}

/** Both kinds of services: what is promised holds for each. */
export const rigs = [
  { where: 'on one thread', rig: localRig },
  { where: 'over messages', rig: remoteRig },
] as const;
