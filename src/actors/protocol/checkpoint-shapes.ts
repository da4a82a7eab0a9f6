import { amount, list, object, oneOf, optional, type Shape, text, variant, whole } from './shapes.ts';

type Fields = Readonly<Record<string, Shape>>;

const piece = { location: text, bytes: whole(), crc: whole(2 ** 32) };
const references = optional(list(object(piece)));

/** The state of a task, which only an executor understands, or where it is. */
export const stateHandle = variant({
  inline: { state: object({}), references },
  finished: {},
  stored: { ...piece, offset: whole(), references },
});

const checkpoint = whole();

/** @param task the fields that name an attempt @param result the id of a result */
export function checkpointCommands(task: Fields, result: Shape) {
  const tasks = list(object(task));
  const alignment = oneOf('exactly-once', 'at-least-once', 'savepoint', 'stop', 'drain');
  return {
    'checkpoint.trigger': { ...task, checkpoint, alignment },
    'checkpoint.completed': {
      ...{ checkpoint, tasks, oldest: optional(checkpoint) },
      passed: list(object({ result, records: list(whole()) })),
    },
    'checkpoint.aborted': { checkpoint, tasks },
  };
}

/** @param task the fields that name an attempt @param plainError an error as data */
export function checkpointReports(task: Fields, plainError: Shape) {
  const places = list(object({ edge: whole(), records: list(whole()) }));
  const statistics = object({
    ...{ bytes: amount, referencedBytes: amount },
    ...{ alignmentMs: amount, snapshotMs: amount, writeMs: amount },
  });
  const reason = oneOf('notRunning', 'noState', 'io', 'async');
  return {
    'checkpoint.acknowledged': { ...task, checkpoint, state: stateHandle, outputs: places, statistics },
    'checkpoint.declined': { ...task, checkpoint, reason, cause: plainError },
  };
}
