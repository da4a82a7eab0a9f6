import { toError } from '../../src/errors/thrown-value.ts';
import { retryAfter } from '../../src/operators/calls/retry-after.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';

const { clock } = virtualEnvironment();
const inSeconds = (seconds: number): string => new Date(clock.epochMs() + seconds * 1_000).toUTCString();
const failing = (own: object): Error => Object.assign(new Error('later'), own);
const trap = (): never => {
  throw new Error('do not look');
};

describe('the time that an error asks to wait', () => {
  it.each<[string, unknown, number | undefined]>([
    ['retryAfterMs', failing({ retryAfterMs: 250 }), 250],
    ['429, seconds, plain headers', failing({ status: 429, headers: { 'retry-after': '2' } }), 2_000],
    ['in whatever case', failing({ status: 429, headers: { 'Retry-After': ' 1.5 ' } }), 1_500],
    ['as a number', failing({ status: 429, headers: { 'retry-after': 3 } }), 3_000],
    ['as a list of one', failing({ status: 429, headers: { 'retry-after': ['4'] } }), 4_000],
    ['503', failing({ statusCode: 503, headers: { 'retry-after': '2' } }), 2_000],
    ['Headers', failing({ status: 429, headers: new Headers({ 'Retry-After': '5' }) }), 5_000],
    ['a Map', failing({ status: 429, headers: new Map([['Retry-After', '6']]) }), 6_000],
    ['a response', failing({ response: { status: 429, headers: { 'retry-after': '7' } } }), 7_000],
    ['a status here, headers there', failing({ status: 429, response: { headers: { 'retry-after': '8' } } }), 8_000],
    ['milliseconds', failing({ status: 429, headers: { 'retry-after-ms': '120', 'retry-after': '1' } }), 120],
    ['a date', failing({ status: 429, headers: { 'retry-after': inSeconds(30) } }), 30_000],
    [
      'a date, by the clock of the answer',
      failing({ status: 429, headers: { date: inSeconds(3_600), 'retry-after': inSeconds(3_610) } }),
      10_000,
    ],
    ['a cause', new Error('wrapped', { cause: failing({ status: 429, headers: { 'retry-after': '9' } }) }), 9_000],
    [
      'a Response that was thrown',
      toError(new Response('later', { status: 429, headers: { 'retry-after': '10' } })),
      10_000,
    ],
    ['AWS', failing({ $metadata: { httpStatusCode: 429 }, $response: { headers: { 'retry-after': '11' } } }), 11_000],
    ['not an error', { status: 429, headers: { 'retry-after': '1' } }, 1_000],
    ['429 without a time', failing({ status: 429, headers: {} }), undefined],
    ['now', failing({ status: 429, headers: { 'retry-after': '0' } }), 0],
    ['now, in milliseconds', failing({ status: 429, headers: { 'retry-after-ms': 0, 'retry-after': '5' } }), 0],
    ['now, by retryAfterMs', failing({ retryAfterMs: 0 }), 0],
    ['a date that is over', failing({ status: 429, headers: { 'retry-after': inSeconds(-5) } }), 0],
    ['before now', failing({ status: 429, headers: { 'retry-after': '-5' } }), undefined],
    ['a retryAfterMs below 0', failing({ retryAfterMs: -5 }), undefined],
    ['an empty header', failing({ status: 429, headers: { 'retry-after-ms': '', 'retry-after': ' ' } }), undefined],
    ['a word', failing({ status: 429, headers: { 'retry-after': 'soon' } }), undefined],
    ['forever', failing({ status: 429, headers: { 'retry-after': 'Infinity' } }), undefined],
    ['another status', failing({ status: 500, headers: { 'retry-after': '1' } }), undefined],
    ['a retryAfterMs that is not a number', failing({ retryAfterMs: '250' }), undefined],
    ['nothing', undefined, undefined],
    ['what resists', new Proxy({}, { get: trap, has: trap, ownKeys: trap }), undefined],
    ['headers that resist', failing({ status: 429, headers: new Proxy({}, { get: trap, ownKeys: trap }) }), undefined],
  ])('%s', (_, error, expected) => {
    expect(retryAfter(error, clock)?.waitMs).toBe(expected);
  });

  it.each([
    [{ retryAfterMs: 250 }, 'retryAfterMs: 250'],
    [{ status: 429, headers: { 'Retry-After': ' 1.5 ' } }, 'retry-after: 1.5'],
    [{ status: 429, headers: { 'retry-after': inSeconds(30) } }, `retry-after: ${inSeconds(30)}`],
    [{ status: 429, headers: { 'retry-after-ms': '120' } }, 'retry-after-ms: 120'],
  ])("%j, in the service's words", (own, said) => {
    expect(retryAfter(failing(own), clock)?.said).toBe(said);
  });
});
