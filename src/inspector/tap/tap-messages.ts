import {
  anything,
  list,
  nested,
  object,
  oneOf,
  optional,
  orNull,
  type Shape,
  text,
  whole,
} from '../../actors/protocol/shapes.ts';
import { plainError } from '../../actors/protocol/message-shapes.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { PlainError } from '../../plain-error.ts';
import type { ActorLine } from './actor-lines.ts';

/** What the inspector tells the tap of a worker. */
export type TapCommand =
  /** Begins to follow the actors, or stops. */
  | { readonly type: 'tap.open' | 'tap.close' }
  /** Traces the actors with this id; null for none. */
  | { readonly type: 'tap.focus'; readonly actor: string | null }
  /** The lines of the last report were taken: the next ones may follow. */
  | { readonly type: 'tap.taken' };

/** What the tap of a worker reports. */
export type TapReport =
  /** What its actors did since its last report. Numbers of actors are those of the tap. */
  | { readonly type: 'tap.lines'; readonly lines: readonly ActorLine[] }
  /** It has given up. */
  | { readonly type: 'tap.failed'; readonly cause: PlainError };

const actor = whole();
const states = list(text);

const state = nested(32, (inner) =>
  object({
    ...{ key: text, type: text, initial: optional(text), states: list(inner) },
    transitions: list(object({ event: text, guard: optional(text), targets: states, actions: states })),
    ...{ entry: states, exit: states, invokes: states, tags: states },
  }),
);

const lineShapes: Readonly<Record<ActorLine['type'], Shape>> = {
  chart: object({ chart: text, definition: state }),
  actors: object({
    started: list(object({ actor, id: text, chart: optional(text), parent: optional(actor) })),
    states: list((pair) => object({ 0: actor, 1: states })(pair)),
    stopped: list(actor),
  }),
  trace: object({
    ...{ actor, source: optional(actor), event: text, payload: anything, context: anything, actions: states },
    taken: list(object({ source: text, event: text, guard: optional(text) })),
  }),
  gap: object({ lines: whole() }),
};

const line: Shape = (value) => {
  const type = propertyOf(value, 'type');
  const shape =
    typeof type === 'string' && Object.hasOwn(lineShapes, type) ? lineShapes[type as ActorLine['type']] : undefined;
  return shape === undefined ? oneOf(...Object.keys(lineShapes))(type) : shape(value);
};

/** What is wrong with a report; undefined if nothing is. */
export const tapReportCheck: Shape = (value) =>
  propertyOf(value, 'type') === 'tap.failed'
    ? object({ cause: plainError })(value)
    : object({ type: oneOf('tap.lines'), lines: list(line) })(value);

/** What is wrong with a command; undefined if nothing is. */
export const tapCommandCheck: Shape = (value) =>
  object({
    type: oneOf('tap.open', 'tap.close', 'tap.focus', 'tap.taken'),
    actor: propertyOf(value, 'type') === 'tap.focus' ? orNull(text) : anything,
  })(value);
