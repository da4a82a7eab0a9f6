import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { LocalLink } from '../../../src/actors/local-link.ts';
import type { Port } from '../../../src/actors/protocol/port.ts';
import { RemoteRunServices } from '../../../src/executors/shares/remote-run-services.ts';
import { RunServices } from '../../../src/executors/shares/desks/run-services.ts';
import type { ServiceReply, ServiceRequest } from '../../../src/executors/shares/service-messages.ts';
import { replyCheck, requestCheck } from '../../../src/executors/shares/service-shapes.ts';
import type { SharedServices, SharedServicesOptions } from '../../../src/executors/shares/shared-services.ts';
import { OutputInUseError } from '../../../src/errors/connector-errors.ts';
import type { ExecutorId, RunId } from '../../../src/ids.ts';
import { virtualEnvironment } from '../../../src/testing/virtual-environment.ts';
import { thrownBy } from '../../support/thrown-by.ts';
import { remoteRig, rigs, smallPlan } from './services-rig.ts';

const error = { name: 'Error', message: 'no', stack: undefined, data: {}, cause: undefined, errors: undefined };
const hash = 'sixteen bytes!!!';
const answer = {
  ...{ origin: { operator: 'embed', version: '1' }, hash, key: undefined, isError: false, format: 0 },
  content: Uint8Array.of(1),
};
const place = { operator: 'parse', record: undefined };

const valid: readonly ServiceRequest[] = [
  { service: 'calls', type: 'open', operator: 'embed', rates: [{ amount: 1, perMs: 1 }], perKey: undefined },
  { service: 'calls', type: 'requestPlace', id: 0, operator: 'embed', key: 1n },
  { service: 'calls', type: 'requestPlace', id: 0, operator: 'embed', key: undefined },
  { service: 'errors', type: 'count', id: 0, errors: 1, records: 2, first: { error, place } },
  { service: 'bytes', type: 'ask', budget: 'memory', needed: 0, wanted: Number.POSITIVE_INFINITY },
  { service: 'answers', type: 'remember', store: 0, id: 1, answer },
  { service: 'sinks', type: 'write', id: 0, bytes: Uint8Array.of(), isEscaped: false },
  { service: 'log', type: 'warn', message: 'careful', data: undefined },
];

it.each(valid.map((message) => ({ message, of: `${message.service}.${message.type}` })))(
  'a valid message, $of, survives a structured clone and is taken as such',
  ({ message }) => {
    expect(requestCheck(structuredClone(message))).toBeUndefined();
  },
);

it.each<readonly [what: string, message: unknown, problem: string]>([
  ['no object', 7, 'it is no object'],
  ['no service', { type: 'open' }, 'service is undefined'],
  ['an unknown service', { service: 'tea', type: 'open' }, 'service is "tea"'],
  ['an unknown type', { service: 'calls', type: 'open sesame' }, 'its type is not known'],
  ['a type of an object', { service: 'calls', type: 'constructor' }, 'its type is not known'],
  [
    'a cost that is no number',
    { service: 'calls', type: 'request', id: 0, operator: 'e', costs: ['1'], isRepeated: false },
    'costs[0] is "1", not a number from 0',
  ],
  [
    'a key that is an object',
    { service: 'calls', type: 'requestPlace', id: 0, operator: 'e', key: {} },
    'key is {}, no key',
  ],
  ['a hash that is too short', { service: 'answers', type: 'find', store: 0, id: 0, hash: 'abc' }, 'hash is "abc"'],
  ['records that are no bytes', { service: 'sinks', type: 'write', id: 0, bytes: [1], isEscaped: false }, 'bytes is'],
])('a message with %s is not valid', (_, message, problem) => {
  expect(requestCheck(message)).toMatch(problem);
  expect(replyCheck(message)).toBeDefined();
});

it('what is not valid is reported, and has no effect; nor has what the run does not know', () => {
  const environment = virtualEnvironment();
  const invalid: unknown[] = [];
  const options: SharedServicesOptions = {
    ...{ run: 'run' as RunId, environment, cancellationTimeoutMs: 1_000, memoryBudgetBytes: 1, diskBudgetBytes: 1 },
  };
  const run = new RunServices(smallPlan(), options, { invalid: (executor, found) => invalid.push([executor, found]) });
  const [there, here] = new LocalLink(environment.clock).link<readonly ServiceReply[], readonly ServiceRequest[]>();
  run.accept('worker-0' as ExecutorId, there);
  const said: ServiceReply[] = [];
  here.onMessage((messages) => said.push(...messages));
  const post = (...messages: readonly unknown[]): void => here.post(messages as readonly ServiceRequest[]);
  post({ service: 'calls', type: 'request' }, 'hello', null);
  here.post('hello' as never);
  post({ service: 'calls', type: 'request', id: 0, operator: 'never opened', costs: [1], isRepeated: false });
  post({ service: 'calls', type: 'made', id: 7 }, { service: 'calls', type: 'leavePlace', id: 7 });
  post({ service: 'errors', type: 'close', id: 7, records: 1 }, { service: 'bytes', type: 'ask', budget: 'tea' });
  post({ service: 'answers', type: 'find', store: 7, id: 0, hash }, { service: 'sinks', type: 'commit', id: 7 });
  post({ service: 'bytes', type: 'return', budget: 'memory', bytes: 1_000_000, recall: undefined });
  environment.advance(100);
  expect(invalid).toEqual([
    ['worker-0', { message: 'calls.request', problem: 'id is undefined, not a whole number' }],
    ['worker-0', { message: 'of no type', problem: 'it is no object' }],
    ['worker-0', { message: 'of no type', problem: 'it is no object' }],
    ['worker-0', { message: 'of no type', problem: 'it is no object' }],
    ['worker-0', { message: 'bytes.ask', problem: 'needed is undefined, not a number from 0' }],
  ]);
  expect(said.filter(({ service }) => service !== 'bytes')).toEqual([]);
});

it('what an executor logs appears in the log of the run, with data that can be sent', () => {
  const { services, environment, logged } = remoteRig();
  const { logger } = services[1] as RemoteRunServices;
  logger.warn('careful', { operator: 'embed', why: () => 'a function' });
  logger.info('well');
  environment.advance(100);
  expect(logged).toEqual([
    ['warn', 'careful', { operator: 'embed', why: expect.stringContaining('function') }],
    ['info', 'well', undefined],
  ]);
});

describe.each(rigs)('outputs claimed by several executors $where', ({ rig }) => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'claims-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('are one claim of the run per vertex, which ends with it', async () => {
    const made = rig();
    const [one, other] = made.services as [SharedServices, SharedServices];
    const path = join(directory, 'out.csv');
    const claimed = one.outputs.claim(path, 'kept');
    expect(other.outputs.claim(path, 'kept')).toBe(claimed);
    expect(thrownBy(() => other.outputs.claim(path, 'letters'))).toBeInstanceOf(OutputInUseError);
    made.environment.advance(100);
    await made.environment.drive(made.close());
    const next = rig();
    expect(next.services[0]?.outputs.claim(path, 'letters')).toBe(claimed);
    next.environment.advance(100);
    await next.environment.drive(next.close());
  });
});

it('works over a MessagePort', async () => {
  const environment = virtualEnvironment();
  const options: SharedServicesOptions = {
    ...{ run: 'run' as RunId, environment, cancellationTimeoutMs: 1_000, memoryBudgetBytes: 160, diskBudgetBytes: 160 },
  };
  const channel = new MessageChannel();
  const portOver = <Sent, Received>(port: typeof channel.port1): Port<Sent, Received> => ({
    post: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', listener),
    onClose: () => {},
    onSent: () => {},
    close: () => port.close(),
  });
  const run = new RunServices(smallPlan(), options, { invalid: (_, found) => fail(found) });
  run.accept('worker-0' as ExecutorId, portOver(channel.port1));
  const services = new RemoteRunServices(smallPlan(), options, portOver(channel.port2));
  const release = environment.hold();
  const limiter = services.callLimiters.limiterOf('embed', { rates: [{ amount: 1, perMs: 100 }], perKey: 1 });
  let granted = 0;
  for (const _ of [0, 1]) limiter.requestCall({ costs: [1], isRepeated: false }, () => granted++);
  await environment.runUntil(() => granted === 1 && services.budgets.of(0).memory.totalBytes > 0);
  release();
  channel.port1.close();
  await run.close();
});

function fail(found: unknown): never {
  throw new TypeError(JSON.stringify(found));
}
