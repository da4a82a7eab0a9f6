import { place, plainError } from '../../actors/protocol/message-shapes.ts';
import {
  amount,
  anything,
  flag,
  list,
  object,
  oneOf,
  optional,
  type Shape,
  text,
  whole,
} from '../../actors/protocol/shapes.ts';
import { show } from '../../foreign-value.ts';
import type { ServiceReply, ServiceRequest } from './service-messages.ts';

/** What is wrong with a message; undefined if nothing is. */
export type ServiceCheck = (message: unknown) => string | undefined;

/** Of a union of messages: its services, and the types of the messages of each. */
type Table<Message extends { readonly service: string; readonly type: string }> = {
  readonly [Service in Message['service']]: {
    readonly [Type in Extract<Message, { service: Service }>['type']]: Readonly<Record<string, Shape>>;
  };
};

const id = whole();
const store = id;
const limit = object({ errors: amount, share: amount });
const ended = { id, error: optional(plainError) };

/** A key of calls. */
const key: Shape = (value) =>
  value === null || !['object', 'function', 'symbol'].includes(typeof value) ? undefined : ` is ${show(value)}, no key`;

const bytes: Shape = (value) => (value instanceof Uint8Array ? undefined : ` is ${show(value)}, not bytes`);

/** A packed answer: bytes, a number or a text. */
const content: Shape = (value) => (typeof value === 'number' || typeof value === 'string' ? undefined : bytes(value));

/** A hash of 16 bytes. */
const hash: Shape = (value) =>
  typeof value === 'string' && value.length === 16 ? undefined : ` is ${show(value)}, not a hash`;

const answer = object({
  ...{ origin: object({ operator: text, version: text }), hash, key: optional(text) },
  ...{ isError: flag, format: whole(256), content },
});

const requests: Table<ServiceRequest> = {
  calls: {
    open: { operator: text, rates: list(object({ amount, perMs: amount })), perKey: optional(whole()) },
    request: { id, operator: text, costs: list(amount), isRepeated: flag },
    withdraw: { id },
    made: { id },
    requestPlace: { id, operator: text, key },
    leavePlace: { id },
    pause: { operator: text, forMs: amount },
  },
  errors: {
    open: { id, operator: text, subtask: whole(), attempt: whole(), limit },
    count: { id, errors: amount, records: amount, first: object({ error: plainError, place }) },
    close: { id, records: amount },
    records: { token: id, counts: list(object({ id, records: amount })) },
  },
  bytes: {
    ask: { budget: text, needed: amount, wanted: amount },
    return: { budget: text, bytes: amount, recall: optional(id) },
  },
  answers: {
    open: { store, directory: text },
    find: { store, id, hash },
    begin: { store, id, hash, isRefused: flag },
    remember: { store, id, answer },
    ended: { store, hash, error: plainError },
    abandoned: { store, hash },
  },
  sinks: {
    open: {
      ...{ id, vertex: text, subtask: whole(), parallelism: whole(), attempt: whole() },
      beside: optional(whole()),
      delivery: optional(object({ sink: text, orderFault: optional(text) })),
      from: optional(bytes),
    },
    commitPrepared: { id, vertex: text, prepared: bytes },
    write: { id, bytes, isEscaped: flag },
    prepare: { id },
    prepareCheckpoint: { id },
    commit: { id },
    abort: { id },
  },
  plans: {
    ask: { id, vertex: text },
    leave: { id, vertex: text },
    made: { id, vertex: text, plan: anything },
    failed: { id, vertex: text, error: plainError },
  },
  outputs: { claimed: { path: text, vertex: text } },
  log: {
    debug: { message: text, data: optional(object({})) },
    info: { message: text, data: optional(object({})) },
    warn: { message: text, data: optional(object({})) },
    error: { message: text, data: optional(object({})) },
  },
};

const replies: Table<ServiceReply> = {
  calls: { granted: { id }, placed: { id }, paused: { operator: text, forMs: amount } },
  errors: {
    allowed: { id, errors: amount },
    tooMany: { id, error: plainError },
    closed: { id },
    countRecords: { token: id, operator: text },
  },
  bytes: {
    granted: { budget: text, bytes: amount, isAnswer: flag },
    denied: { budget: text, othersBytes: amount },
    recall: { budget: text, bytes: amount, recall: id },
  },
  answers: {
    opened: { store, result: anything },
    found: { id, payload: optional(bytes) },
    begun: { ...ended, isAgain: flag },
    known: { id, payload: bytes },
    failed: { id, error: plainError },
    written: ended,
  },
  plans: { make: { id }, planned: { id, plan: anything }, failed: { id, error: plainError } },
  sinks: {
    done: { id, hasPrepare: flag, hasPrepareCheckpoint: flag, prepared: optional(bytes) },
    failed: { id, error: plainError, failedAt: optional(whole()) },
  },
};

/** Checks what executors say. */
export const requestCheck: ServiceCheck = checkBy(requests);

/** Checks what the run says. */
export const replyCheck: ServiceCheck = checkBy(replies);

function checkBy(
  table: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Shape>>>>>>,
): ServiceCheck {
  const services = oneOf(...Object.keys(table));
  const shapes = new Map(
    Object.entries(table).map(([service, types]) => [
      service,
      new Map(Object.entries(types).map(([type, fields]) => [type, object(fields)])),
    ]),
  );
  return (message) => {
    if (typeof message !== 'object' || message === null) return 'it is no object';
    const { service, type } = message as { readonly service?: unknown; readonly type?: unknown };
    const unknown = services(service);
    if (unknown !== undefined) return `service${unknown}`;
    const shape = shapes.get(service as string)?.get(type as string);
    return shape === undefined ? 'its type is not known' : shape(message)?.replace(/^\./, '');
  };
}
