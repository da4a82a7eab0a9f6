import { Writable } from 'node:stream';
import {
  forEach,
  type RecordPosition,
  type RuntimeContext,
  type Sink,
  toNodeWritable,
  toWebWritable,
} from '../../src/index.ts';

// Checked by the compiler: what these lines say is in their types. Jest runs them to see that they can be called.

interface Mail {
  readonly to: string;
}

const send = async (_mail: Mail, _key: string): Promise<void> => {};
/** Never called: holds what must not compile. */
const refused = (_lines: () => unknown): void => {};

it('a function of forEach gets the position of its record, and need not take it', () => {
  const sinks: Sink<Mail>[] = [
    forEach((mail: Mail) => mail.to),
    forEach(async (mail: Mail, { position }) => send(mail, position.key)),
    forEach((_mail: Mail, { position, subtask, signal }): readonly [RecordPosition, number, AbortSignal] => [
      position,
      subtask,
      signal,
    ]),
    forEach((_mail: Mail, context: RuntimeContext) => context.attempt),
  ];
  expect(sinks).toHaveLength(4);
  // @ts-expect-error the number is a number
  refused(() => forEach((mail: Mail, { position }) => send(mail, position.number)));
});

it('toChunk makes what a stream gets', () => {
  const node = new Writable({ objectMode: true });
  const sinks: Sink<Mail>[] = [
    toNodeWritable<Mail>(() => node),
    toNodeWritable(() => node, { toChunk: ({ to }: Mail, { position }) => `${position.key} ${to}\n` }),
    toWebWritable(() => new WritableStream<Mail>()),
    toWebWritable(() => new WritableStream<string>(), { toChunk: ({ to }: Mail, { position }) => position.key + to }),
  ];
  expect(sinks).toHaveLength(4);
  // @ts-expect-error the stream takes texts
  refused(() => toWebWritable(() => new WritableStream<string>(), { toChunk: ({ to }: Mail) => to.length }));
  // @ts-expect-error a record context has no such thing
  refused(() => toNodeWritable(() => node, { toChunk: (_mail: Mail, { place }) => place }));
});
