import type { ExecutionState } from '../../src/actors/protocol/states.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
import { CannotRun, type ConformanceCase, equals, type Judges, oneOf, onlyKnown, perStep } from './conformance-case.ts';
import { executionStateNamed } from './execution-rig.ts';
import { reportedState } from './job-rig.ts';

type Step = ConformanceCase['when'][number];

/** Whether an execution is one of a job, whose books are asked about. */
export function concernsJob({ given, when, expect }: ConformanceCase): boolean {
  return 'parallelism' in given || when.some((step) => 'target' in step) || 'registeredExecutionsLeft' in expect;
}

/** How the executions of a job get into a state. */
const leads: Readonly<Partial<Record<ExecutionState, (cluster: ManualCluster) => void>>> = {
  created: () => {},
  deploying: (cluster) => void cluster.start(),
  initializing: (cluster) => {
    cluster.start();
    for (const task of cluster.tasks) cluster.report(task, 'initializing');
  },
  running: (cluster) => {
    cluster.start();
    cluster.runAll();
  },
};

/** One of several subtasks of a job under its real master; its region and its executor are told what happens. */
class ExecutionsRig {
  readonly cluster: ManualCluster;
  /** Slots that attempts gave back. */
  returnedSlots = 0;
  /** The execution of which the last step was. */
  #target: string | undefined;

  constructor(given: ConformanceCase['given']) {
    onlyKnown(given, ['executionState', 'parallelism', 'slotAssigned'], 'given');
    const { executionState = 'CREATED', parallelism = 1, slotAssigned } = given;
    if (typeof parallelism !== 'number') throw new CannotRun('given parallelism is no number');
    const state = executionStateNamed(executionState);
    const lead = leads[state];
    const hasSlot = state !== 'created';
    if (lead === undefined || (slotAssigned ?? hasSlot) !== hasSlot) {
      throw new CannotRun(`a job whose executions are ${JSON.stringify(given)} is not known`);
    }
    this.cluster = new ManualCluster({ vertices: [{ id: 'v', parallelism }] });
    const { slots } = this.cluster.ledger;
    const release = slots.release.bind(slots);
    slots.release = (released) => {
      this.returnedSlots += released.length;
      release(released);
    };
    lead(this.cluster);
    if (this.cluster.tasks.some((task) => this.cluster.stateOf(task) !== state)) throw new Error(`not led to ${state}`);
  }

  take(step: Step): ExecutionState {
    const { cluster } = this;
    const task = this.#targetOf(step);
    const { op, cause = op } = step;
    const { executions, regionActors } = cluster.ledger;
    const failure = new Error(String(cause));
    // Each task is a region of its own here, and nobody else cancels a task.
    const region = regionActors[cluster.regionOf(task)];
    if (op === 'cancel' || op === 'suspend') region?.send({ type: `region.${op}` });
    else if (op === 'failByMaster') executions[cluster.vertex(task)]?.send({ type: 'execution.fail', cause: failure });
    else if (op === 'reportFailed') cluster.fail(task, failure);
    else {
      const [, state] = /^report([A-Z]\w+)$/.exec(String(op)) ?? [];
      if (state === undefined) throw new CannotRun(`operation ${JSON.stringify(op)} is not known of one of several`);
      cluster.report(task, reportedState(state) as Exclude<ReturnType<typeof reportedState>, 'failed'>);
    }
    cluster.clock.advance(0);
    return cluster.stateOf(task);
  }

  /** The attempts of the job that have not ended. */
  get registered(): number {
    return [...this.cluster.ledger.attempts.byExecutor().values()].flat().length;
  }

  #targetOf({ op, target = 'same', ...others }: Step): string {
    const mayHaveCause = op === 'failByMaster' || op === 'reportFailed';
    onlyKnown(others, mayHaveCause ? ['cause'] : [], 'step');
    if (target !== 'one' && target !== 'same') throw new CannotRun(`target ${JSON.stringify(target)} is not known`);
    const { tasks } = this.cluster;
    // Any will do; the first may be a special case.
    if (target === 'one') this.#target = tasks.find((task) => task !== this.#target && task !== tasks[0]);
    this.#target ??= tasks.at(-1);
    return this.#target as string;
  }
}

/** An execution that is one of several of its job. */
export function executionInJob({ given, when }: ConformanceCase): Judges {
  const rig = new ExecutionsRig(given);
  const { cluster } = rig;
  const states = when.map((step) => rig.take(step).toUpperCase());
  return {
    executionStates: perStep(states.map((state) => equals(state))),
    executionState: equals(states.at(-1)),
    finalStateOneOf: oneOf(states.at(-1)),
    cancelRpc: equals(cluster.canceled.length > 0),
    cancelRpcs: equals(cluster.canceled.length),
    cancelRpcCount: equals(cluster.canceled.length),
    slotReleased: equals(rig.returnedSlots > 0),
    registeredExecutionsLeft: equals(rig.registered),
  };
}
