import type { JobStatus } from '../../src/actors/protocol/states.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  equalsAs,
  type Handler,
  type Judge,
  onlyKnown,
  perStep,
  someFields,
  sorted,
  sortedSets,
} from './conformance-case.ts';
import { givenJob, jobFields } from './given-job.ts';
import { graphFields, listOf, textOf } from './given-graph.ts';
import { JobRig } from './job-rig.ts';
import { runJobStep } from './job-steps.ts';

type When = ConformanceCase['when'];

/** The observable state of a job after a step. */
interface Look {
  readonly status: string;
  readonly states: Readonly<Record<string, string>>;
  readonly attempts: Readonly<Record<string, number>>;
  /** Whether the report of the step was accepted; undefined if the step was none. */
  readonly accepted?: boolean | undefined;
}

function lookAt({ status, tasks, cluster }: JobRig): Look {
  const perTask = <Value>(read: (task: string) => Value): Record<string, Value> =>
    Object.fromEntries(tasks.map((task) => [task, read(task)]));
  return {
    status,
    states: perTask((task) => cluster.stateOf(task).toUpperCase()),
    attempts: perTask((task) => cluster.attemptOf(task)),
  };
}

const sequence =
  (beginsIn: string): Handler =>
  ({ given, when, expect }) => {
    onlyKnown(given, [...jobFields, 'recordedVersion'], 'given');
    if ((given['recordedVersion'] ?? 'before') !== 'before') {
      throw new CannotRun(`a version that was recorded ${JSON.stringify(given['recordedVersion'])} is not known`);
    }
    const rig = givenJob(given, beginsIn);
    const callsBefore = callCount(rig);
    const first = lookAt(rig);
    const looks = when.map((step): Look => {
      const accepted = runJobStep(rig, step);
      return { ...lookAt(rig), accepted };
    });
    return { ...judgesOf(rig, looks, callsBefore, given, expect), ...restartJudges(rig, [first, ...looks]) };
  };

const delays: readonly unknown[] = [
  undefined,
  'equal',
  ...['longer', 'shorter'].flatMap((than) => [`first ${than} than second`, `second ${than} than first`]),
];

/** Overlapping restarts: each is due when the case says so, in any order. */
const concurrentFailover: Handler = ({ given, when, expect }) => {
  onlyKnown(given, [...graphFields, 'restartDelays'], 'given');
  // Which restart is due first is in the steps.
  if (!delays.includes(given['restartDelays'])) {
    throw new CannotRun(`restartDelays ${JSON.stringify(given['restartDelays'])} are not known`);
  }
  const { vertices, edges } = given;
  const dueMsOf = dueTimes(when);
  let nextDueMs = 0;
  const rig = new JobRig({
    vertices,
    edges,
    triggers: dueMsOf.size,
    restart: {
      name: 'as the case says',
      initial: undefined,
      onFailure: () => ({ state: undefined, newAttempt: true }),
      canRestart: () => true,
      delayMs: (_, nowMs) => nextDueMs - nowMs,
    },
  });
  rig.start();
  rig.reportAll('running');
  const callsBefore = callCount(rig);
  const restartedBy: Record<string, string[]> = {};
  const names = [...dueMsOf.keys()];
  const looks = when.map((step) => {
    if ('failover' in step) {
      onlyKnown(step, ['failover', 'as'], 'step');
      const { failover, as } = step;
      rig.beginStep();
      const name = textOf(as);
      nextDueMs = dueMsOf.get(name) as number;
      const tasks = listOf(failover, 'failover').map((task) => rig.taskNamed(task));
      rig.failOver(tasks, names.indexOf(name));
      rig.confirmCancellations();
      restartedBy[name] = [];
    } else if ('restartDue' in step) {
      onlyKnown(step, ['restartDue'], 'step');
      const name = textOf(step['restartDue']);
      if (!Object.hasOwn(restartedBy, name)) throw new CannotRun(`no failover before is called ${name}`);
      const { attempts } = lookAt(rig);
      rig.beginStep();
      rig.advanceTo(dueMsOf.get(name) as number);
      restartedBy[name] = rig.tasks.filter((task) => rig.cluster.attemptOf(task) !== attempts[task]);
    } else runJobStep(rig, step);
    return lookAt(rig);
  });
  const perFailover = Object.fromEntries(
    Object.entries(restartedBy).map(([name, tasks]): [string, Judge] => [name, equalsAs(sorted, tasks)]),
  );
  return { ...judgesOf(rig, looks, callsBefore, given, expect), restartedBy: someFields(perFailover) };
};

/** Handlers of whole jobs, of the area `state-machine`. */
export const jobHandlers: Readonly<Record<string, Handler>> = {
  'job-sequence': sequence('RUNNING'),
  'job-suspend': sequence('RUNNING'),
  'scheduler-sequence': sequence('CREATED'),
  'concurrent-failover': concurrentFailover,
};

/** A second for each step: a restart is due in the step that the case says, or after all steps. */
function dueTimes(when: When): Map<string, number> {
  const dueMsOf = new Map<string, number>();
  for (const { failover, as } of when) {
    if (failover === undefined) continue;
    if (typeof as !== 'string' || dueMsOf.has(as)) throw new CannotRun('a failover has no name of its own');
    const step = when.findIndex(({ restartDue }) => restartDue === as);
    dueMsOf.set(as, 1_000 * (step === -1 ? when.length + 1 : step + 1));
  }
  return dueMsOf;
}

/** The tasks that each step restarts, and the reports that are accepted. */
function restartJudges({ tasks }: JobRig, [first, ...looks]: readonly Look[]): Record<string, Judge> {
  let attempts = first?.attempts ?? {};
  const restarted = looks.map((look) => {
    const before = attempts;
    attempts = look.attempts;
    return tasks.filter((task) => attempts[task] !== before[task]);
  });
  const accepted = looks.map((look) => equals(look.accepted));
  const last = looks.findLast((look) => look.accepted !== undefined);
  return {
    restartedPerStep: perStep(restarted.map((names) => equalsAs(sorted, names))),
    acceptedPerStep: perStep(accepted),
    accepted: (expected) => (Array.isArray(expected) ? perStep(accepted) : equals(last?.accepted))(expected),
  };
}

function callCount({ cluster }: JobRig): number {
  return cluster.deployed.length + cluster.canceled.length;
}

function judgesOf(
  rig: JobRig,
  looks: readonly Look[],
  callsBefore: number,
  given: ConformanceCase['given'],
  expect: ConformanceCase['expect'],
): Record<string, Judge> {
  const { cluster, tasks } = rig;
  const last = looks.at(-1) ?? lookAt(rig);
  const restarts = rig.offers.slice(1).filter((offer) => offer.tasks.length > 0);
  const statesSeen = [...new Set(restarts.flatMap(({ states }) => states.map((state) => state.toUpperCase())))];
  const stale = expect['vertexVersionModified'] === undefined ? [] : staleTasks(rig, given);
  return {
    jobStatus: equals(last.status),
    jobStatusPerStep: perStep(looks.map(({ status }) => equals(status))),
    vertexStates: forEveryTask(last.states),
    stateOf: someFields(
      Object.fromEntries(
        looks.map(({ states }, step): [string, Judge] => [`afterStep${step + 1}`, forEveryTask(states)]),
      ),
    ),
    attemptNumbers: forEveryTask(last.attempts),
    failureCause: equals(cluster.master.getSnapshot().context.failure?.cause.message ?? null),
    cancelRpcs: equals(cluster.canceled.length),
    furtherTaskManagerCalls: equals(callCount(rig) - callsBefore),
    deployed: equals(cluster.deployed.filter((task) => tasks.includes(task))),
    hookCalls: equalsAs(withoutZeros, hookCalls(rig)),
    restartTasksCalls: equalsAs(sortedSets, callsPerStep(restarts)),
    stateSeenByStrategy: equals(statesSeen.length === 1 ? statesSeen[0] : statesSeen),
    vertexVersionModified: equalsAs(sorted, stale),
  };
}

/** `FAILED (all, unchanged)`, `all 0`, or expectations for single tasks by name. */
function forEveryTask(actual: Readonly<Record<string, string | number>>): Judge {
  return (expected) => {
    if (typeof expected === 'object' && expected !== null) {
      const perTask = Object.entries(actual).map(([task, value]): [string, Judge] => [task, equals(value)]);
      return someFields(Object.fromEntries(perTask))(expected);
    }
    const [, name] = /^(?:all )?([A-Z]+|\d+)(?: \(all\b.*\))?$/.exec(String(expected)) ?? [];
    if (name === undefined) throw new CannotRun(`what ${JSON.stringify(expected)} says of tasks is not known`);
    const distinct = [...new Set(Object.values(actual).map(String))];
    return equals(distinct.length === 1 ? distinct[0] : actual)(name);
  };
}

const hooks: ReadonlySet<JobStatus> = new Set<JobStatus>(['created', 'finished', 'failed', 'canceled']);

/** How often the listeners of a job got each status for which the catalogue has a hook. */
function hookCalls({ cluster }: JobRig): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const event of cluster.events) {
    if (event.type !== 'job.statusChanged' || !hooks.has(event.status)) continue;
    calls[event.status] = (calls[event.status] ?? 0) + 1;
  }
  return calls;
}

function withoutZeros(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

/** Here each region is offered separately as soon as it is ready; the catalogue has one call for all that are due. */
function callsPerStep(offers: JobRig['offers']): string[][] {
  const calls = new Map<number, string[]>();
  for (const { step, tasks } of offers) calls.set(step, [...(calls.get(step) ?? []), ...tasks]);
  return [...calls.values()];
}

/** The catalogue drops outdated decisions by versions: the question is whether they are dropped. */
function staleTasks(rig: JobRig, { recordedVersion }: ConformanceCase['given']): string[] {
  if (recordedVersion !== 'before') throw new CannotRun('when the version was recorded is not known');
  return rig.staleTasks();
}
