import type { ExecutorId } from '../../src/ids.ts';
import type { ExecutionState } from '../../src/actors/protocol/states.ts';
import type { Slot } from '../../src/scheduling/slot-offers.ts';
import {
  CannotRun,
  type ConformanceCase,
  DiffersOnPurpose,
  equals,
  equalsAs,
  type Handler,
  oneOf,
  onlyKnown,
  perStep,
  sorted,
} from './conformance-case.ts';
import { errorKindOf } from './conformance-runner.ts';
import { concernsJob, executionInJob } from './execution-in-job.ts';
import { type ExecutionEffects, ExecutionRig, executionStateNamed } from './execution-rig.ts';
import { listOf } from './given-graph.ts';

type Step = ConformanceCase['when'][number];

const slotNamed = (name: unknown): Slot => ({ executor: String(name) as ExecutorId, index: 0 });
const shown = (state: ExecutionState): string => state.toUpperCase();

/** What else a step of an operation may say. */
const wordsOf = new Map<unknown, readonly string[]>([
  ['schedule', ['slot']],
  ['assignSlot', ['slot']],
  ['failByMaster', ['cause']],
  ['reportFailed', ['cause']],
]);

const operations: Readonly<Record<string, (rig: ExecutionRig, step: Step, slots: Slots) => void>> = {
  schedule: (rig, step, { names, isPending }) =>
    rig.send({
      type: 'execution.schedule',
      slot: isPending ? undefined : slotNamed(step['slot'] ?? names[0] ?? 'slot'),
    }),
  assignSlot: (rig, step) => rig.send({ type: 'execution.assignSlot', slot: slotNamed(step['slot'] ?? 'slot') }),
  deploy: (rig) => rig.send({ type: 'execution.deploy', mode: 'new' }),
  cancel: (rig) => rig.send({ type: 'execution.cancel' }),
  suspend: (rig) => rig.send({ type: 'execution.suspend' }),
  resetForNewExecution: (rig) => rig.beginNextAttempt(),
  failByMaster: (rig, step) => rig.send({ type: 'execution.fail', cause: causeOf(step) }),
  reportInitializing: (rig) => rig.report('initializing'),
  reportRunning: (rig) => rig.report('running'),
  reportFinished: (rig) => rig.report('finished'),
  reportCanceled: (rig) => rig.report('canceled'),
  reportFailed: (rig, step) => rig.report('failed', causeOf(step)),
};

/** The slots of a case. */
interface Slots {
  readonly names: readonly string[];
  /** They were asked for, and are not there yet. */
  readonly isPending: boolean;
}

/** One step and its effects. */
interface StepTaken {
  readonly state: ExecutionState;
  readonly effects: ExecutionEffects;
  readonly error: string | undefined;
}

const executionOp: Handler = ({ given, when }) => {
  const [step, ...more] = when;
  if (step === undefined || more.length > 0) throw new CannotRun(`${when.length} operations instead of one`);
  const { rig, slots } = givenExecution(given);
  const before = { state: rig.state, attempt: rig.attempt };
  const { state, effects, error } = take(rig, step, slots);
  const did = (action: string): boolean => effects.actions.includes(action);
  const said = (type: string): boolean => effects.toRegion.some((event) => event.type === type);
  return {
    executionState: equals(shown(state)),
    attemptNumberDelta: equals(rig.attempt - before.attempt),
    cancelRpc: equals(did('cancelTask')),
    submitRpc: equals(did('deployTask')),
    slotReleased: equals(did('returnSlot')),
    releasePartitions: equals(did('releasePartitions')),
    releaseUpstreamReleasedPartitions: equals(did('releaseTransientPartitions')),
    failoverTriggered: equals(said('execution.failed')),
    globalFailureRaised: equals(said('execution.inexplicable')),
    ignored: equals(state === before.state && effects.actions.length + effects.toRegion.length === 0),
    ...(error === undefined ? {} : { error: equals(error) }),
  };
};

const executionSequence: Handler = (conformanceCase) => {
  const { given, when } = conformanceCase;
  if (given['statesTried'] !== undefined) {
    onlyKnown(given, ['statesTried'], 'given');
    for (const step of when) onlyKnown(step, ['op'], 'step');
    const stray = when.find(({ op }) => op !== 'failGlobalIfStillRunning');
    if (stray !== undefined) throw new CannotRun(`operation ${JSON.stringify(stray['op'])} is not known`);
    throw new DiffersOnPurpose('failGlobalIfStillRunning');
  }
  if (concernsJob(conformanceCase)) return executionInJob(conformanceCase);
  const { rig, slots } = givenExecution(given);
  const ledIn = rig.entered.length;
  const taken = when.map((step) => take(rig, step, slots));
  const said = taken.flatMap(({ effects }) => effects.toRegion);
  const failure = said.find((event) => event.type === 'execution.failed');
  const errors = taken.map(({ error }) => error).filter((error) => error !== undefined);
  const states = perStep(taken.map(({ state }) => equals(shown(state))));
  const returned = taken.map(({ effects }) => effects.returnedSlots);
  const did = (action: string): boolean => taken.some(({ effects }) => effects.actions.includes(action));
  const cancelRpcs = taken.flatMap(({ effects }) => effects.actions).filter((name) => name === 'cancelTask').length;
  return {
    executionStates: states,
    currentExecutionStates: states,
    executionState: equals(shown(rig.state)),
    finalStateOneOf: oneOf(shown(rig.state)),
    attemptNumberDelta: equals(Number(rig.attempt)),
    failureCause: equals(failure === undefined ? null : failure.cause.message),
    timestampsSet: (expected) => {
      // A case need not list the states before the one in which it begins.
      const later = new Set<unknown>([...listOf(expected, 'timestampsSet'), ...rig.entered.slice(ledIn).map(shown)]);
      return equalsAs(
        sorted,
        [...new Set(rig.entered.map(shown))].filter((state) => later.has(state)),
      )(expected);
    },
    slotReleased: equals(returned.flat().length > 0),
    returnedSlots: equals(returned.flat()),
    returnedSlotsPerStep: perStep(returned.map((names) => equals(names))),
    cancelRpc: equals(did('cancelTask')),
    cancelRpcs: equals(cancelRpcs),
    cancelRpcCount: equals(cancelRpcs),
    submitRpc: equals(did('deployTask')),
    releasePartitions: equals(did('releasePartitions')),
    failoverTriggered: equals(failure !== undefined),
    globalFailureRaised: equals(said.some(({ type }) => type === 'execution.inexplicable')),
    ...(errors.length === 0 ? {} : { error: equals(errors[0]) }),
  };
};

/** Handlers of single executions, of the area `state-machine`. */
export const executionHandlers: Readonly<Record<string, Handler>> = {
  'execution-op': executionOp,
  'execution-sequence': executionSequence,
};

function givenExecution(given: ConformanceCase['given']): { rig: ExecutionRig; slots: Slots } {
  onlyKnown(given, ['executionState', 'slotAssigned', 'slots', 'attemptNumber', 'pendingSlotRequest'], 'given');
  const { executionState, slotAssigned, slots: named, attemptNumber = 0, pendingSlotRequest = false } = given;
  if (typeof pendingSlotRequest !== 'boolean') throw new CannotRun('given pendingSlotRequest is no boolean');
  if (slotAssigned !== undefined && typeof slotAssigned !== 'boolean') {
    throw new CannotRun('given slotAssigned is no boolean');
  }
  if (pendingSlotRequest && slotAssigned === true) throw new CannotRun('a slot that is there is asked for');
  if (attemptNumber !== 0) throw new CannotRun(`an execution begins with attempt 0, not ${String(attemptNumber)}`);
  const state = executionStateNamed(executionState ?? 'CREATED');
  const slots = listOf<string>(named, 'slots');
  const hasSlot = !pendingSlotRequest && (slotAssigned ?? (slots.length > 0 || needsSlot(state)));
  const rig = new ExecutionRig();
  // A slot that was scheduled is there before anything else happens; the path to the given state is not judged.
  rig.lead(state, hasSlot ? slotNamed(slots[0] ?? 'slot') : undefined);
  rig.take();
  if (rig.state !== state) throw new CannotRun(`an execution cannot be led to ${state}`);
  return { rig, slots: { names: slots, isPending: pendingSlotRequest } };
}

function needsSlot(state: ExecutionState): boolean {
  return state !== 'created' && state !== 'scheduled';
}

/**
 * A command that is a programming error is not thrown across actors: it is raised as a global failure whose cause is
 * the error that a caller would get. A report of a task is not our call and has no such error.
 */
function take(rig: ExecutionRig, step: Step, slots: Slots): StepTaken {
  const { op } = step;
  onlyKnown(step, ['op', ...(wordsOf.get(op) ?? [])], 'step');
  const run = Object.hasOwn(operations, String(op)) ? operations[String(op)] : undefined;
  if (run === undefined) {
    throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
  }
  let error: string | undefined;
  try {
    run(rig, step, slots);
  } catch (thrown) {
    error = errorKindOf(thrown);
    if (error === undefined) throw thrown;
  }
  const effects = rig.take();
  const raised = effects.toRegion.find((event) => event.type === 'execution.inexplicable');
  if (raised !== undefined && !String(op).startsWith('report')) error = errorKindOf(raised.cause);
  return { state: rig.state, effects, error };
}

function causeOf(step: Step): Error {
  return new Error(String(step['cause'] ?? step['op']));
}
