import { toldCause } from '../../src/errors/told-cause.ts';

const refused = (address: string): Error => new Error(`connect ECONNREFUSED ${address}`);
const both = (): Error =>
  Object.assign(new AggregateError([refused('::1:9000'), refused('127.0.0.1:9000')]), { code: 'E' });
const ring = new Error('');
ring.cause = ring;

it.each<[string, unknown, string]>([
  ['an error', new Error('full'), 'full'],
  ['no error', 'full', expect.stringContaining('full') as unknown as string],
  ['all addresses of a host', both(), 'connect ECONNREFUSED ::1:9000, connect ECONNREFUSED 127.0.0.1:9000'],
  [
    'the cause of a fetch',
    new TypeError('fetch failed', { cause: refused('::1:9000') }),
    'connect ECONNREFUSED ::1:9000',
  ],
  [
    'a fetch from a host',
    new TypeError('fetch failed', { cause: both() }),
    expect.stringMatching(/::1:9000, .*127/) as never,
  ],
  ['a torn body', new TypeError('terminated', { cause: new Error('other side closed') }), 'other side closed'],
  ['nothing', new TypeError('fetch failed'), 'fetch failed'],
  ['no message', new RangeError(''), 'RangeError'],
  ['an empty aggregate', new AggregateError([]), 'AggregateError'],
  ['a ring', ring, 'Error'],
])('tells %s', (_, thrown, told) => {
  expect(toldCause(thrown)).toEqual(told);
});
