import { SinkOutput } from '../../src/operators/sinks/sink-output.ts';
import type { SinkWriter } from '../../src/operators/sink.ts';

const outputOf = (writer: Partial<SinkWriter<unknown>>): SinkOutput =>
  new SinkOutput({ write: () => {}, commit: () => {}, abort: () => {}, ...writer }, 'out');

it.each([
  ['at once', (prepared: unknown) => prepared],
  ['later', (prepared: unknown) => Promise.resolve(prepared)],
])('what prepareCheckpoint returns, %s, and is not plain data is an error that says what helps', async (_, answer) => {
  const output = outputOf({ prepareCheckpoint: () => answer({ client: () => {} }) });
  output.write([1]);
  output.mark({ kind: 'barrier', checkpoint: 1 as never });
  await new Promise(setImmediate);
  expect(output.failure?.message).toBe(
    'prepareCheckpoint of the sink "out" returned what is not plain data: $.client is a function. Return plain data by which `commitPrepared` finds what was prepared, such as the name of a transaction',
  );
});

it('a sink that commits only when its task finishes is in no checkpoint, and says what helps', () => {
  expect(outputOf({}).snapshot()).toEqual({
    kind: 'absent',
    reason:
      'the sink "out" commits only when its task finishes. Give its writer `prepareCheckpoint` and the sink `commitPrepared`, or run without `checkpoints`',
  });
});
