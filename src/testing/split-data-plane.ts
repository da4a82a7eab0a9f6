import type { LinkPorts } from '../actors/local-link.ts';
import type {
  KeptPartition,
  KeptResult,
  PartitionRegistration,
  TaskDeployment,
} from '../actors/protocol/deployment.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import type { DataPlane, PartitionSurroundings, TaskSurroundings } from '../executors/data-plane.ts';
import { LocalDataPlane, type LocalDataPlaneOptions } from '../executors/local-data-plane.ts';
import type { LocalDataPlanePlan } from '../executors/local-results.ts';
import { RemoteRunServices } from '../executors/shares/remote-run-services.ts';
import { RunServices } from '../executors/shares/desks/run-services.ts';
import type { ServiceReply, ServiceRequest } from '../executors/shares/service-messages.ts';
import type { ExecutorId } from '../ids.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';

/**
 * A data plane in parts, which keep what is promised per run by messages, as executors on other threads do. The attempts
 * of a task run in one part after the other.
 */
export class SplitDataPlane implements DataPlane {
  readonly #run: RunServices;
  /** Where nothing runs. */
  readonly #whole: LocalDataPlane;
  readonly #parts: readonly LocalDataPlane[];

  constructor(plan: LocalDataPlanePlan, options: LocalDataPlaneOptions, parts: number, link: LinkPorts) {
    this.#run = new RunServices(plan, options, {
      invalid: (_, { message, problem }) => {
        throw new TypeError(`${message}: ${problem}`);
      },
    });
    this.#whole = new LocalDataPlane(plan, { ...options, services: this.#run.local });
    const { spillStore } = options;
    this.#parts = Array.from({ length: parts }, (_, part) => {
      const [there, here] = link<readonly ServiceReply[], readonly ServiceRequest[]>();
      this.#run.accept(`part-${part}` as ExecutorId, there);
      const services = new RemoteRunServices(plan, options, here);
      return new LocalDataPlane(plan, {
        ...options,
        services,
        // One for all of them.
        ...(spillStore && { spillStore: { create: (id) => spillStore.create(id), dispose: async () => {} } }),
      });
    });
  }

  begin(): void {
    this.#whole.begin();
  }

  createPartition(registration: PartitionRegistration, surroundings: PartitionSurroundings): ResultPartition {
    const { producer, id } = registration;
    return this.#partOf(producer + id.attempt).createPartition(registration, surroundings);
  }

  createTask(deployment: TaskDeployment, surroundings: TaskSurroundings): RunningTask {
    return this.#partOf(deployment.vertex + deployment.attempt).createTask(deployment, surroundings);
  }

  describe(edge: number, results: readonly ResultPartition[]): readonly KeptPartition[] {
    return this.#whole.describe(edge, results);
  }

  keep(edge: number, partitions: readonly KeptPartition[]): Promise<KeptResult | undefined> {
    return this.#whole.keep(edge, partitions);
  }

  end(hasFinished: boolean): void {
    this.#whole.end(hasFinished);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.dispose()));
    await this.#run.close();
    await this.#whole.dispose();
  }

  #partOf(number: number): LocalDataPlane {
    return this.#parts[number % this.#parts.length] as LocalDataPlane;
  }
}
