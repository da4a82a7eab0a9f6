import type { AttemptNumber, CheckpointId } from '../../src/ids.ts';
import type { OperatorStage } from '../../src/operators/operator-stage.ts';
import { DeadLetterOutput } from '../../src/operators/rejected/dead-letter-output.ts';
import { LocalErrorTallies } from '../../src/operators/rejected/error-tallies.ts';
import type { ErrorHandling } from '../../src/operators/rejected/on-error.ts';
import { Rejections } from '../../src/operators/rejected/rejections.ts';
import type { Sink, SinkWriter } from '../../src/operators/sink.ts';
import { SinkOutput } from '../../src/operators/sinks/sink-output.ts';
import type { Source } from '../../src/operators/source.ts';
import type { SinkState, SourceState, TaskState } from '../../src/operators/state/task-state.ts';
import { takeCheckpoint } from '../../src/operators/task/checkpoint-step.ts';
import { SourceInput } from '../../src/operators/task/source-input.ts';
import { unpackData } from '../../src/partitions/records/packed-data.ts';

const settled = async (): Promise<void> => {
  for (let hop = 0; hop < 9; hop++) await Promise.resolve();
};

/** A source of rows, each of which is bad, as the input of a task. Row 2 is followed by the end, if the test says so. */
function badRows({ isEnd = false } = {}) {
  let row = 0;
  const answers: (() => void)[] = [];
  const read = async (): Promise<readonly unknown[] | null> => {
    await new Promise<void>((resolve) => answers.push(resolve));
    rejections.rejectRaw(new Error('no row'), `row ${++row}`, undefined);
    return isEnd && row === 2 ? null : [];
  };
  const input = new SourceInput(
    { read, position: () => row, close: () => {} },
    { batchSize: 8, batchBytes: 1_000 },
    'rows',
  );
  const letters: unknown[] = [];
  const writer: SinkWriter<unknown> = {
    write: (batch) => void letters.push(...batch.map((letter) => (letter as { record: unknown }).record)),
    prepareCheckpoint: () => letters.splice(0),
    commit: () => {},
    abort: () => {},
  };
  const errors: ErrorHandling = { reaction: { kind: 'deadLetter', sink: {} as Sink<unknown> } } as never;
  const rejections = new Rejections({
    program: { source: { errors } as Source<unknown>, operators: [] },
    ...{ uids: { source: 'rows', operators: [] }, subtask: 0, attempt: 0 as AttemptNumber },
    ...{ tallies: new LocalErrorTallies(), first: () => {} },
  });
  const output = new DeadLetterOutput('rows', new SinkOutput(writer, 'dead'), 8, input);
  rejections.connect(input, new Map([['rows', output]]));
  const states: { readonly position: unknown; readonly letters: unknown }[] = [];
  const chain = { snapshot: () => ({ kind: 'taken', state: { kind: 'passing' } }) } as unknown as OperatorStage;
  input.elements$.subscribe((element) => {
    if (element.kind === 'records') rejections.noteRead(element.records.length);
    if (element.kind === 'end') rejections.noteRead(0);
    if (element.kind !== 'barrier') return;
    const parts = { input, chain, outputs: [], rejections, uids: {} as never };
    takeCheckpoint(
      element,
      parts,
      { now: () => 0 },
      (outcome) => states.push(stateIn(outcome as never)),
      () => {},
    );
  });
  const barrier = (): void => input.trigger({ kind: 'barrier', checkpoint: states.length as CheckpointId });
  const answer = async (): Promise<void> => {
    answers.shift()?.();
    await settled();
  };
  return { input, states, barrier, answer, output, letters, rejections };
}

function stateIn({ state }: { readonly state: TaskState }) {
  const { position } = state.input as SourceState;
  const { prepared } = state.outputs[0] as SinkState;
  return { position: unpackData(position)[0], letters: prepared.flatMap(({ data }) => unpackData(data)[0]) };
}

describe('what a source rejects', () => {
  it('RJ3: is in a checkpoint once its position is behind it: it would be a dead letter twice', async () => {
    const { input, states, barrier, answer } = badRows();
    input.emitNext();
    await answer();
    // The answer is there, and nothing of it is passed on: a checkpoint begins before it.
    barrier();
    input.emitNext();
    expect(states).toEqual([{ position: 0, letters: [] }]);
    input.emitNext();
    barrier();
    input.emitNext();
    expect(states[1]).toEqual({ position: 1, letters: ['row 1'] });
  });

  it('RJ3: right before its end is in a checkpoint with the end, or comes again with it', async () => {
    const { input, states, barrier, answer, output, letters } = badRows({ isEnd: true });
    input.emitNext();
    await answer();
    input.emitNext();
    input.emitNext();
    await answer();
    barrier();
    input.emitNext();
    expect(states).toEqual([{ position: 1, letters: ['row 1'] }]);
    input.emitNext();
    output.flush();
    expect(letters).toEqual(['row 2']);
  });

  it('is counted as a dead letter once it is passed on', async () => {
    const { input, answer, rejections } = badRows();
    input.emitNext();
    await answer();
    expect(rejections.counts).toEqual([]);
    input.emitNext();
    expect(rejections.counts).toMatchObject([{ operator: 'rows', deadLetters: 1 }]);
  });
});
