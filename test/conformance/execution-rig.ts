import { type ActorRef, createActor, fromTransition, type Snapshot } from 'xstate';
import type { ExecutionToRegionEvent } from '../../src/actors/chart-events.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../src/ids.ts';
import {
  type ExecutionActorRef,
  type ExecutionEvent,
  executionMachine,
  executionGroups,
} from '../../src/machines/execution/execution-machine.ts';
import { type ExecutionState, executionStates } from '../../src/actors/protocol/states.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import { shownState } from '../../src/machines/state-tap.ts';
import type { Slot } from '../../src/scheduling/slot-offers.ts';
import { CannotRun } from './conformance-case.ts';

const vertex = 0 as ExecutionVertexId;

/** The requests and reports of an attempt since the last call. */
export interface ExecutionEffects {
  /** Names of the actions the composition root provides, in order. */
  readonly actions: string[];
  /** Released slots, by name. */
  readonly returnedSlots: string[];
  readonly toRegion: ExecutionToRegionEvent[];
}

/** One execution chart with the books of its job, and a region that only listens. */
export class ExecutionRig {
  readonly ledger: JobLedger;
  /** States that were entered, by all attempts, in order. */
  readonly entered: ExecutionState[] = [];
  #effects: ExecutionEffects = { actions: [], returnedSlots: [], toRegion: [] };
  readonly #region: ActorRef<Snapshot<unknown>, ExecutionToRegionEvent>;

  constructor() {
    const graph = new ExecutionGraph(createJobGraph('case', [{ id: 'v', parallelism: 1 }], []));
    this.ledger = new JobLedger(graph, pipelinedRegions(graph));
    this.#region = createActor(
      fromTransition((state: null, event: ExecutionToRegionEvent) => {
        this.#effects.toRegion.push(event);
        return state;
      }, null),
    ).start();
    this.#begin(0);
  }

  get state(): ExecutionState {
    return shownState(this.#execution.getSnapshot().value, executionGroups) as ExecutionState;
  }

  get attempt(): AttemptNumber {
    return this.ledger.attemptOf(vertex);
  }

  /** The effects since the last call. */
  take(): ExecutionEffects {
    const effects = this.#effects;
    this.#effects = { actions: [], returnedSlots: [], toRegion: [] };
    return effects;
  }

  send(event: ExecutionEvent): void {
    this.#execution.send(event);
  }

  /** A report of the current attempt. */
  report(state: 'initializing' | 'running' | 'finished' | 'canceled' | 'failed', cause?: Error): void {
    const base = { vertex, attempt: this.attempt };
    if (state === 'failed') this.send({ type: 'task.failed', ...base, cause: cause ?? new Error('the task broke') });
    else if (state === 'finished') {
      this.send({ type: 'task.finished', ...base, statistics: { recordsIn: 0, recordsOut: 0, isCurtailed: false } });
    } else this.send({ type: `task.${state}`, ...base });
  }

  /** Enters the next attempt, like a restarting region. @throws IllegalStateError unless the current one has ended */
  beginNextAttempt(): void {
    this.#begin(this.attempt + 1);
  }

  /** Leads a new attempt into a state; without a slot only if the state needs none. */
  lead(state: ExecutionState, slot: Slot | undefined): void {
    const schedule = (): void => this.send({ type: 'execution.schedule', slot });
    if (state === 'created') {
      if (slot !== undefined) throw new CannotRun('an attempt gets its slot when it is scheduled');
      return;
    }
    if (slot === undefined) return this.#leadWithoutSlot(state);
    schedule();
    const way: Readonly<Record<string, () => void>> = {
      deploying: () => this.send({ type: 'execution.deploy', mode: 'new' }),
      initializing: () => this.report('initializing'),
      running: () => this.report('running'),
    };
    if (state === 'scheduled') return;
    for (const [reached, step] of Object.entries(way)) {
      step();
      if (reached === state) return;
    }
    if (state === 'canceling') this.send({ type: 'execution.cancel' });
    else this.report(state as 'finished' | 'canceled' | 'failed');
  }

  get #execution(): ExecutionActorRef {
    return this.ledger.executions[vertex] as ExecutionActorRef;
  }

  #leadWithoutSlot(state: ExecutionState): void {
    if (state === 'scheduled') this.send({ type: 'execution.schedule', slot: undefined });
    else if (state === 'canceled') this.send({ type: 'execution.cancel' });
    else if (state === 'failed') this.send({ type: 'execution.fail', cause: new Error('the case begins with it') });
    else throw new CannotRun(`an attempt without a slot is never ${state}`);
  }

  #begin(attempt: number): void {
    const note = (action: string) => (): void => {
      this.#effects.actions.push(action);
    };
    const logic = executionMachine.provide({
      actions: {
        recordState: (_, { state }) => {
          this.entered.push(state);
        },
        deployTask: note('deployTask'),
        cancelTask: note('cancelTask'),
        releasePartitions: note('releasePartitions'),
        releaseTransientPartitions: note('releaseTransientPartitions'),
        returnSlot: ({ context }) => {
          if (context.slot !== undefined) this.#returned(context.slot);
        },
        returnLateSlot: (_, { slot }) => this.#returned(slot),
      },
    });
    const execution = createActor(logic, {
      input: { vertex, attempt: attempt as AttemptNumber, region: this.#region },
    });
    this.ledger.beginAttempt(vertex, attempt as AttemptNumber, execution);
    execution.start();
  }

  #returned(slot: Slot): void {
    this.#effects.actions.push('returnSlot');
    this.#effects.returnedSlots.push(slot.executor);
  }
}

/** `RUNNING` in a case is `running` here. */
export function executionStateNamed(name: unknown): ExecutionState {
  const state = String(name).toLowerCase() as ExecutionState;
  if (!executionStates.includes(state)) throw new CannotRun(`execution state ${JSON.stringify(name)} is not known`);
  return state;
}
