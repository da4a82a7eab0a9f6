import { memoryCheckpoints } from '../../../src/partitions/checkpoints/checkpoint-storages.ts';
import { lmdbState } from '../../../src/operators/state/disk/lmdb-state.ts';
import { resolveCheckpoints } from '../../../src/run/checkpoints/checkpoints-option.ts';

const usual = {
  ...{ intervalMs: 1_000, timeoutMs: 600_000, minPauseMs: 0, maxConcurrent: 1, tolerableFailures: 0 },
  ...{ mode: 'exactly-once', storage: undefined, stateBackend: undefined, retained: 1 },
};
const storage = memoryCheckpoints();

describe('the option `checkpoints`', () => {
  it.each([
    [undefined, undefined],
    [{ intervalMs: 1_000 }, usual],
    [
      { intervalMs: 1_000, mode: 'at-least-once', retained: 3 },
      { ...usual, mode: 'at-least-once', retained: 3 },
    ],
    [
      { intervalMs: 1_000, tolerableFailures: Infinity },
      { ...usual, tolerableFailures: Infinity },
    ],
    [
      { intervalMs: 1_000, storage },
      { ...usual, storage },
    ],
    [
      { intervalMs: 1_000, stateBackend: lmdbState({ directory: '/states' }) },
      { ...usual, stateBackend: { kind: 'lmdb', directory: '/states', cacheBytes: 64 * 1_024 * 1_024 } },
    ],
  ])('%j', (given, resolved) => {
    expect(resolveCheckpoints(given as never)).toEqual(resolved);
  });

  it.each([
    [true, /^options of checkpoints: expected an object/],
    [{}, /^checkpoints.intervalMs: expected milliseconds from above 0/],
    [{ interval: 5 }, /^interval of checkpoints: .*did you mean `intervalMs`/],
    [{ intervalMs: 0 }, /^checkpoints.intervalMs/],
    [{ intervalMs: 5, timeoutMs: 0 }, /^checkpoints.timeoutMs/],
    [{ intervalMs: 5, minPauseMs: -1 }, /^checkpoints.minPauseMs/],
    [{ intervalMs: 5, maxConcurrent: 0 }, /^checkpoints.maxConcurrent: expected an integer from 1/],
    [{ intervalMs: 5, tolerableFailures: 0.5 }, /^checkpoints.tolerableFailures: expected an integer/],
    [{ intervalMs: 5, mode: 'once' }, /^checkpoints.mode: expected "exactly-once" or "at-least-once"/],
    [{ intervalMs: 5, retained: 0 }, /^checkpoints.retained: expected an integer from 1/],
    [{ intervalMs: 5, stateBackend: 'lmdb' }, /^checkpoints.stateBackend: expected lmdbState\(\{ directory \}\)/],
    [{ intervalMs: 5, storage: '/tmp' }, /^checkpoints.storage: expected a storage, such as fileCheckpoints/],
    [
      { intervalMs: 5, storage: { ...storage, write() {}, read() {}, commit() {}, find() {}, discard() {} } },
      / lacks readChunk, lastNumber, sweep, remove, got/,
    ],
  ])('%j is refused', (given, message) => {
    expect(() => resolveCheckpoints(given as never)).toThrow(message);
  });

  it.each([
    [undefined, /^options of lmdbState: expected an object/],
    [{ directory: '' }, /^lmdbState.directory: expected the path of a directory/],
    [{ directory: 'states', cacheBytes: 0 }, /^lmdbState.cacheBytes: expected an integer/],
    [{ directory: 'states', cache: 5 }, /^cache of lmdbState: expected one of its options: directory, cacheBytes/],
  ])('lmdbState of %j is refused', (given, message) => {
    expect(() => lmdbState(given as never)).toThrow(message);
  });
});
