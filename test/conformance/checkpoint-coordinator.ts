import type { ExecutionState } from '../../src/actors/protocol/states.ts';
import type { StorageFaults } from '../support/instant-storage.ts';
import { CheckpointRig, ioError } from './checkpoint-rig.ts';
import { catalogueReasons } from './checkpoint-rules.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  equalsAs,
  type Handler,
  knowing,
  sorted,
} from './conformance-case.ts';

type Given = ConformanceCase['given'];
type Step = Readonly<Record<string, unknown>>;

/** Longer than any case. */
const forever = 2 ** 30;

/** More ticks than any limit lets through. */
const many = 20;

/** When a case with times acknowledges. */
const acknowledgedAtMs = 1_500;

function tasksOf({ tasks, ackTasks, vertices }: Given): { readonly id: string; readonly parallelism: number }[] {
  if (Array.isArray(vertices)) {
    return vertices.map(({ id, parallelism }) => ({ id, parallelism: parallelism === 'same' ? 2 : parallelism }));
  }
  const names = (tasks ?? ackTasks) as readonly string[] | undefined;
  if (names === undefined) throw new CannotRun('there are no tasks');
  return names.map((id) => ({ id, parallelism: 1 }));
}

function statesOf({ taskStates = {}, finished = [] }: Given): Record<string, ExecutionState> {
  const states: Record<string, ExecutionState> = {};
  for (const [task, state] of Object.entries(taskStates as Record<string, string>)) {
    states[task] = state === 'FINISHED' ? 'finished' : 'running';
  }
  for (const task of finished as readonly string[]) states[task] = 'finished';
  return states;
}

function faultsOf({ idCounter, storage }: Given, when: readonly Step[]): StorageFaults {
  const isSlow = isAsync(when);
  const errors = when.filter(({ error }) => error !== undefined).length;
  if (errors > 0 || storage === 'fails to initialize the location' || idCounter === 'fails with an I/O error') {
    return { isSlow, numbers: { times: Math.max(1, errors), error: ioError } };
  }
  if (idCounter === undefined) return { isSlow };
  if (idCounter !== 'first call fails') throw new CannotRun(`idCounter ${JSON.stringify(idCounter)} is not known`);
  return { isSlow, numbers: { times: 1, error: new Error('no number') } };
}

/** Whether the storage answers only when a case says so. */
const isAsync = (when: readonly Step[]): boolean => when.some(({ op }) => op === 'runAsyncStages');

const limitOf = (value: unknown): number =>
  value === undefined || value === 'inf' ? Infinity : value === 'maxConcurrent' ? 3 : (value as number);

/** Makes the rig of a case. */
function rigOf(given: Given, when: readonly Step[]): CheckpointRig {
  const { intervalMs, minPauseMs, maxConcurrent, retained, tolerableConsecutiveFailures } = given;
  const isRandom = typeof maxConcurrent === 'string' && maxConcurrent.startsWith('random');
  const rig = new CheckpointRig({
    tasks: tasksOf(given),
    states: statesOf(given),
    faults: faultsOf(given, when),
    ...(typeof retained === 'number' && { retained }),
    ...(intervalMs !== undefined && { intervalMs: intervalMs === 'i' ? 10 : (intervalMs as number) }),
    ...(minPauseMs !== undefined && { minPauseMs: typeof minPauseMs === 'number' ? minPauseMs : forever }),
    ...(maxConcurrent !== undefined && { maxConcurrent: isRandom ? 3 : limitOf(maxConcurrent) }),
    ...(tolerableConsecutiveFailures !== undefined && {
      tolerableFailures: tolerableConsecutiveFailures as number,
    }),
  });
  const starts = when.some(({ op }) => op === 'startPeriodic') || given['periodicRunning'] === false;
  if (!starts) rig.coordinator.send({ type: 'component.running' });
  return rig;
}

/** What a case plays, and what came of each step. */
class Play {
  readonly rig: CheckpointRig;
  readonly intervalMs: number;
  readonly pendingPerStep: number[] = [];
  readonly pendingIds: number[][] = [];
  readonly triggersPerStep: number[] = [];
  readonly triggeredTotals: number[] = [];
  readonly acknowledgedPerStep: (number | undefined)[] = [];
  readonly savepointPerStep: string[] = [];
  readonly outcomes: (string | null)[] = [];
  readonly startedAt: Record<string, boolean> = {};
  readonly errors: unknown[] = [];
  readonly discardedStates: string[] = [];
  readonly #states: { readonly checkpoint: number; readonly state: string }[] = [];

  constructor({ given, when }: Pick<ConformanceCase, 'given' | 'when'>) {
    this.rig = rigOf(given, when);
    this.intervalMs = given['intervalMs'] === 'i' ? 10 : ((given['intervalMs'] as number | undefined) ?? 1);
    for (const step of when) {
      const before = this.rig.triggers.length;
      try {
        this.#play(step);
      } catch (error) {
        if (error instanceof CannotRun) throw error;
        this.errors.push(error);
      }
      this.#note(before);
    }
  }

  #play(step: Step): void {
    const { rig } = this;
    const { op, at } = step;
    if (at !== undefined) this.#wait(at);
    const ended = [rig.events.length, rig.refused.length] as const;
    switch (op) {
      case 'trigger':
        this.#trigger(step);
        break;
      case 'triggerUntil':
        for (let more = limitOf(step['pending']) - rig.pending.length; more > 0; more--) rig.request('checkpoint');
        break;
      case 'ack':
        this.#acknowledge(step);
        break;
      case 'ackAll':
        for (const checkpoint of (step['checkpoints'] ?? [step['checkpoint']]) as readonly number[]) {
          rig.acknowledgeAll(checkpoint);
        }
        break;
      case 'decline':
        if (step['cause'] !== undefined) throw new CannotRun(`cause ${JSON.stringify(step['cause'])} is not known`);
        rig.decline(step['checkpoint'] as number, step['task'] as string);
        break;
      case 'abortPending':
        rig.coordinator.send({ type: 'component.disturbed' });
        rig.coordinator.send({ type: 'component.running' });
        break;
      case 'timeout':
        rig.clock.advance(600_000);
        break;
      case 'periodicTicks': {
        const count = step['count'] === 'many' ? many : (step['count'] as number);
        rig.clock.advance(count * this.intervalMs);
        break;
      }
      case 'periodicTick':
        if (at === undefined) rig.clock.advance(this.intervalMs);
        break;
      case 'startPeriodic':
        rig.coordinator.send({ type: 'component.running' });
        break;
      case 'stopPeriodic':
        rig.coordinator.send({ type: 'component.disturbed' });
        break;
      case 'shutdown':
        rig.coordinator.send({ type: 'coordinator.stop' });
        break;
      case 'runAsyncStages':
        for (let stage = 0; stage < many; stage++) rig.storage.answer();
        break;
      case 'check':
        this.startedAt[at as string] = rig.triggers.length > 1;
        break;
    }
    rig.clock.advance(0);
    this.outcomes.push(op === 'trigger' ? this.#outcomeSince(...ended) : null);
  }

  #trigger({ type = 'checkpoint', periodic = false, times = 1 }: Step): void {
    for (let time = 0; time < (times as number); time++) {
      if (periodic === true) this.rig.coordinator.send({ type: 'checkpoint.due' });
      else this.rig.request(type as 'checkpoint' | 'savepoint');
    }
  }

  #acknowledge({ checkpoint, task, state, job = 'same' }: Step): void {
    // Reports of other jobs arrive at other masters.
    if (job !== 'same') return;
    const number = typeof checkpoint === 'number' ? checkpoint : 99;
    if (state !== undefined) this.#states.push({ checkpoint: number, state: state as string });
    this.rig.acknowledge(number, task as string);
  }

  /** `T` is when the case acknowledges; a number is since the first tick. */
  #wait(at: unknown): void {
    const { clock } = this.rig;
    const [, base, plus = '0', after = ''] = /^(T)(?:\+(\d+))?(\+?)$/.exec(String(at)) ?? [];
    const untilMs = base === undefined ? (at as number) : acknowledgedAtMs + Number(plus) + (after === '' ? 0 : 1);
    if (typeof untilMs !== 'number') throw new CannotRun(`at ${JSON.stringify(at)} is not known`);
    clock.advance(Math.max(0, untilMs + this.intervalMs - clock.now()));
  }

  #outcomeSince(event: number, refusal: number): string {
    const { rig } = this;
    const failed = rig.events.slice(event).find(({ type }) => type === 'checkpoint.failed');
    if (failed?.type === 'checkpoint.failed') return `failed: ${catalogueReasons[failed.reason]}`;
    const refused = rig.refused[refusal] as keyof typeof catalogueReasons | undefined;
    return refused === undefined ? 'pending' : `rejected: ${catalogueReasons[refused]}`;
  }

  #note(triggers: number): void {
    const { rig } = this;
    this.pendingPerStep.push(rig.pending.length);
    this.pendingIds.push(rig.pending);
    this.triggersPerStep.push(rig.triggers.length - triggers);
    this.triggeredTotals.push(rig.triggers.length);
    this.acknowledgedPerStep.push(rig.pending.includes(1) ? rig.acknowledged(1) : undefined);
    const isDone = rig.eventsOf('checkpoint.completed').some(({ kind }) => kind === 'savepoint');
    this.savepointPerStep.push(isDone ? 'done' : 'open');
    for (const { checkpoint, state } of this.#states) {
      const isKnown = this.discardedStates.includes(state);
      if (!isKnown && rig.storage.discarded.includes(checkpoint)) this.discardedStates.push(state);
    }
  }
}

const known = {
  given: [
    ...['tasks', 'ackTasks', 'vertices', 'taskStates', 'finished', 'allowAfterTasksFinished'],
    ...['maxConcurrent', 'retained', 'tolerableConsecutiveFailures', 'intervalMs', 'minPauseMs'],
    ...['idCounter', 'storage', 'periodicRunning'],
  ],
  ops: {
    trigger: ['at', 'type', 'times', 'error', 'periodic'],
    triggerUntil: ['at', 'pending'],
    ack: ['at', 'checkpoint', 'task', 'state', 'job'],
    ackAll: ['at', 'checkpoint', 'checkpoints'],
    decline: ['at', 'checkpoint', 'task', 'cause'],
    abortPending: ['at', 'reason'],
    timeout: ['at'],
    periodicTicks: ['at', 'count'],
    periodicTick: ['at'],
    startPeriodic: ['at'],
    stopPeriodic: ['at'],
    shutdown: ['at'],
    runAsyncStages: ['at'],
    check: ['at'],
  },
};

const completedIds = (rig: CheckpointRig, kind: 'checkpoint' | 'savepoint'): number[] =>
  rig.eventsOf('checkpoint.completed').flatMap((event) => (event.kind === kind ? [event.checkpoint] : []));

const failedIds = (rig: CheckpointRig, reason?: string): (number | undefined)[] =>
  rig
    .eventsOf('checkpoint.failed')
    .flatMap((event) => (reason === undefined || event.reason === reason ? [event.checkpoint] : []));

function idsByKind(rig: CheckpointRig): Record<string, number[]> {
  const of = (kind: string): number[] =>
    rig.eventsOf('checkpoint.triggered').flatMap((event) => (event.kind === kind ? [event.checkpoint] : []));
  return { savepoints: of('savepoint'), checkpoints: of('checkpoint') };
}

/** How often each task was told that a checkpoint was aborted. */
function abortedTasks(rig: CheckpointRig): Record<string, Record<string, number>> {
  const found: Record<string, Record<string, number>> = {};
  for (const { checkpoint, tasks } of rig.aborted) {
    const times = (found[checkpoint] ??= {});
    for (const task of tasks) times[task] = (times[task] ?? 0) + 1;
  }
  return found;
}

function completedAfter(expected: unknown, play: Play, retainedPerStep: readonly number[][]): unknown {
  const steps = Object.keys(expected as object);
  return Object.fromEntries(steps.map((step) => [step, retainedPerStep[Number(step) - 1]]));
}

const coordinator: Handler = knowing(known, (conformanceCase) => {
  const play = new Play(conformanceCase);
  const { rig } = play;
  const { expect, when } = conformanceCase;
  const pendingAfter = Object.fromEntries(
    when.map((_, index) => [`pendingAfterStep${index + 1}`, equals(play.pendingIds[index])]),
  );
  const steps = expect['acknowledgedAfterStep'];
  const { pendingCount } = rig.clock;
  const firstFailure = rig.eventsOf('checkpoint.failed')[0];
  const first = rig.eventsOf('checkpoint.completed')[0];
  return {
    ...pendingAfter,
    pending: equals(rig.pending.length),
    pendingPerStep: equals(play.pendingPerStep.map((count) => (count === 3 ? bySymbol(expect, count) : count))),
    pendingIds: (expected) =>
      equals(play.pendingIds.map((ids, index) => ((expected as unknown[])[index] === null ? null : ids)))(expected),
    completed: equals(rig.eventsOf('checkpoint.completed').length),
    completedAfter: (expected) => equals(completedAfter(expected, play, retainedPerStep(conformanceCase)))(expected),
    notifiedComplete: equals(Object.fromEntries(rig.completed.map(({ checkpoint, tasks }) => [checkpoint, tasks]))),
    previousDiscardedWhenReplaced: equals(rig.storage.discarded.join() === '1'),
    disposed: equals(failedIds(rig)),
    stillPending: equals(rig.pending),
    notifiedAborted: equals(abortedTasks(rig)),
    acknowledgedAfterStep: equals(
      typeof steps === 'object' && steps !== null
        ? Object.fromEntries(Object.keys(steps).map((step) => [step, play.acknowledgedPerStep[Number(step) - 1]]))
        : undefined,
    ),
    // The timer of the periodic trigger is left.
    timeoutCancelled: equals(pendingCount === 1),
    newCheckpointTriggered: equals(rig.eventsOf('checkpoint.triggered').length > 1),
    jobFailures: equals(rig.jobFailures),
    triggerFails: equals(firstFailure && catalogueReasons[firstFailure.reason]),
    discardedStates: equalsAs(sorted, play.discardedStates),
    untouchedStates: equalsAs(sorted, untouchedStates(conformanceCase, play)),
    errors: equals(play.errors),
    acknowledged: equals(rig.pending.includes(1) ? rig.acknowledged(1) : undefined),
    triggeredTotalPerStep: equals(play.triggeredTotals),
    pending1Outcome: equals(
      first?.checkpoint === 1 && first.atMs === acknowledgedAtMs + play.intervalMs ? 'completed at T' : 'otherwise',
    ),
    secondStartedAt: equals(play.startedAt),
    ids: equals(idsByKind(rig)),
    subsumed: equals(failedIds(rig, 'subsumed')),
    completedCheckpoints: equals(completedIds(rig, 'checkpoint')),
    savepointsDone: equals(completedIds(rig, 'savepoint')),
    allSavepointsDone: equals(completedIds(rig, 'savepoint').length === idsByKind(rig)['savepoints']?.length),
    savepointFuturePerStep: equals(play.savepointPerStep),
    retainedCompleted: equals(rig.retained),
    canBeSubsumed: equals(isSubsumedByNext(conformanceCase)),
    autoAcknowledged: equals(rig.pending.includes(1) ? rig.acknowledged(1) : undefined),
    periodicTriggerStillScheduled: equals(triggersAgain(rig, play.intervalMs)),
  };
});

/** The states that tasks of any job sent, and nobody has discarded. */
function untouchedStates({ when }: ConformanceCase, { discardedStates }: Play): string[] {
  const sent = when.flatMap(({ state }) => (state === undefined ? [] : [state as string]));
  return sent.filter((state) => !discardedStates.includes(state));
}

/** A count that a case calls by a word. */
function bySymbol(expect: ConformanceCase['expect'], count: number): unknown {
  const expected = expect['pendingPerStep'];
  return Array.isArray(expected) && expected.includes('maxConcurrent') ? 'maxConcurrent' : count;
}

/** What was retained after each step of a case. */
function retainedPerStep({ given, when }: ConformanceCase): number[][] {
  return when.map((_, index) => new Play({ given, when: when.slice(0, index + 1) }).rig.retained);
}

/** Whether the first savepoint of a case gives way to a checkpoint that completes after it was triggered. */
function isSubsumedByNext({ given, when }: ConformanceCase): boolean {
  const play = new Play({ given, when: [...when.slice(0, 1), { op: 'trigger' }, { op: 'ackAll', checkpoint: 2 }] });
  return !play.rig.pending.includes(1);
}

/** Whether the timer triggers another checkpoint. */
function triggersAgain(rig: CheckpointRig, intervalMs: number): boolean {
  const before = rig.triggers.length;
  rig.clock.advance(intervalMs);
  return rig.triggers.length > before;
}

const triggering: Handler = knowing(known, (conformanceCase) => {
  const play = new Play(conformanceCase);
  const { rig } = play;
  const { when } = conformanceCase;
  const triggered = rig.eventsOf('checkpoint.triggered');
  const ids = triggered.map(({ checkpoint }) => checkpoint);
  const times = triggered.map(({ atMs }) => atMs);
  return {
    outcomes: equals(isAsync(when) ? asyncOutcomes(rig, when) : play.outcomes),
    triggersSentPerStep: equals(play.triggersPerStep),
    ids: equals(ids.every((id, index) => index === 0 || id > (ids[index - 1] as number)) ? 'strictly increasing' : ids),
    timestamps: equals(
      times.every((at, index) => index === 0 || at >= (times[index - 1] as number)) ? 'non-decreasing' : times,
    ),
    secondTriggerAtLeastMsAfterCompletion: equals(pauseAfterCompletion(rig)),
  };
});

/** What became of the requests of a case, in order, once the storage has answered. */
function asyncOutcomes(rig: CheckpointRig, when: readonly Step[]): string[] {
  const requests = when.filter(({ op }) => op === 'trigger').length;
  const failed = rig.eventsOf('checkpoint.failed').length;
  return Array.from({ length: requests }, (_, index) =>
    index < failed ? 'failed' : index < failed + rig.pending.length ? 'pending' : 'open',
  );
}

/** How long after the completion of the first checkpoint the second is triggered. */
function pauseAfterCompletion(rig: CheckpointRig): number {
  const [completed] = rig.eventsOf('checkpoint.completed');
  while (rig.triggers.length < 2 && rig.clock.now() < 10_000) rig.clock.advance(1);
  return (rig.triggers[1]?.atMs ?? Infinity) - (completed?.atMs ?? 0);
}

export const checkpointCoordinatorHandlers = { coordinator, triggering };
