import type { AnyStateMachine, StateValueFrom } from 'xstate';
import type {
  ExecutionState,
  JobStatus,
  PartitionState,
  RegionState,
  TaskExecutorState,
} from '../../src/actors/protocol/states.ts';
import type { executionMachine } from '../../src/machines/execution/execution-machine.ts';
import type { jobMasterMachine } from '../../src/machines/job-master/job-master-machine.ts';
import type { partitionMachine } from '../../src/machines/partition/partition-machine.ts';
import type { regionMachine } from '../../src/machines/region/region-machine.ts';
import type { taskExecutorMachine } from '../../src/machines/task-executor/task-executor-machine.ts';

// Checked by the compiler: the types of these lines are the tests. Jest runs them to check that they can be called.

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The names of all states in a chart's state values, at every depth. */
type NamesIn<Value> = Value extends string
  ? Value
  : Value extends object
    ? { [Name in keyof Value]-?: Name | NamesIn<NonNullable<Value[Name]>> }[keyof Value]
    : never;

type NamesOf<Machine extends AnyStateMachine> = NamesIn<StateValueFrom<Machine>>;

/** Does not compile unless the states of a chart are those of its union and the parts that divide or group them. */
const same = <A, B>(_: Same<A, B>): void => {};

describe('the states of each chart are those that its observers get, and their parts', () => {
  it('execution', () => same<NamesOf<typeof executionMachine>, ExecutionState | 'waiting' | 'deployed'>(true));

  it('region', () => {
    type Groups = 'live' | 'halting' | 'purpose' | 'attempts' | 'awaited' | 'ended';
    type Attempts = 'alone' | 'working' | 'committing' | 'contested' | 'preparing' | 'racing' | 'awarded' | 'settling';
    type Parts = 'allocating' | 'registering' | 'waiting' | 'backingOff' | 'ready' | 'emptying' | 'empty' | Attempts;
    same<NamesOf<typeof regionMachine>, RegionState | Groups | Parts>(true);
  });

  it('job master', () =>
    same<NamesOf<typeof jobMasterMachine>, JobStatus | 'undisturbed' | 'restarting' | 'halting' | 'keeping'>(true));

  it('partition', () =>
    same<NamesOf<typeof partitionMachine>, PartitionState | 'held' | 'owned' | 'traced' | 'traceless'>(true));

  it('task executor', () => same<NamesOf<typeof taskExecutorMachine>, TaskExecutorState>(true));

  it('one state more, or one less, does not compile', () => {
    // @ts-expect-error one less
    same<NamesOf<typeof taskExecutorMachine>, Exclude<TaskExecutorState, 'lost'>>(true);
    // @ts-expect-error one more
    same<NamesOf<typeof taskExecutorMachine>, TaskExecutorState | 'gone'>(true);
  });
});
