import type { BarrierAlignment } from '../../actors/protocol/checkpoint-messages.ts';
import { checkStateBackend, type LmdbState } from '../../operators/state/disk/lmdb-state.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { hasMethods } from '../../foreign-value.ts';
import { checkInteger, checkMilliseconds, checkOptions, checkWord } from '../../options.ts';

/** How the streaming parts of a job are checkpointed. Each connected part is checkpointed by itself. */
export interface CheckpointOptions {
  /** Time between two checkpoints of a part, in ms. */
  readonly intervalMs: number;
  /** A checkpoint that takes longer is given up, in ms. Default 600 000. */
  readonly timeoutMs?: number | undefined;
  /** Least time from the end of one checkpoint to the beginning of the next, in ms. Default 0. */
  readonly minPauseMs?: number | undefined;
  /** How many checkpoints of a part may be under way at once. Default 1. */
  readonly maxConcurrent?: number | undefined;
  /**
   * How many checkpoints of a part may fail in a row before its tasks restart; Infinity for any number. Only failures
   * count that say that checkpoints do not work: see the page about checkpoints. Default 0.
   */
  readonly tolerableFailures?: number | undefined;
  /**
   * `exactly-once` (default): each record changes state once, whatever fails; tasks with several inputs align them.
   * `at-least-once`: nothing waits, and records may be counted twice after a failure.
   */
  readonly mode?: BarrierAlignment | undefined;
  /**
   * Where checkpoints are kept: `fileCheckpoints(directory)`, `s3Checkpoints({ bucket })`, `memoryCheckpoints()`. Default:
   * files in `stateDirectory`; without one, memory.
   */
  readonly storage?: CheckpointStorage | undefined;
  /** Where tasks keep their states by key: `lmdbState({ directory })` for those larger than memory. Default: in memory. */
  readonly stateBackend?: LmdbState | undefined;
  /** How many completed checkpoints of a part are kept. Those before the last are used if it cannot be read. Default 1. */
  readonly retained?: number | undefined;
}

/** The options with every default but the storage filled in. */
export interface ResolvedCheckpoints {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly minPauseMs: number;
  readonly maxConcurrent: number;
  readonly tolerableFailures: number;
  readonly mode: BarrierAlignment;
  readonly storage: CheckpointStorage | undefined;
  readonly stateBackend: LmdbState | undefined;
  readonly retained: number;
}

/** @throws InvalidArgumentError for an invalid option */
export function resolveCheckpoints(given: CheckpointOptions | undefined): ResolvedCheckpoints | undefined {
  if (given === undefined) return undefined;
  checkOptions('checkpoints', given, {
    intervalMs: true,
    timeoutMs: true,
    minPauseMs: true,
    maxConcurrent: true,
    tolerableFailures: true,
    mode: true,
    storage: true,
    stateBackend: true,
    retained: true,
  });
  const { intervalMs, timeoutMs = 600_000, minPauseMs = 0, storage, stateBackend } = given;
  const { maxConcurrent = 1, tolerableFailures = 0, mode = 'exactly-once', retained = 1 } = given;
  checkMilliseconds('checkpoints.intervalMs', intervalMs);
  checkMilliseconds('checkpoints.timeoutMs', timeoutMs);
  checkMilliseconds('checkpoints.minPauseMs', minPauseMs, { mayBeZero: true });
  checkInteger('checkpoints.maxConcurrent', maxConcurrent, 1, 1_000);
  checkInteger('checkpoints.tolerableFailures', tolerableFailures, 0);
  checkWord('checkpoints.mode', mode, ['exactly-once', 'at-least-once']);
  checkInteger('checkpoints.retained', retained, 1, 1_000);
  if (storage !== undefined) checkStorage(storage);
  checkStateBackend(stateBackend);
  const settings = { intervalMs, timeoutMs, minPauseMs, maxConcurrent, tolerableFailures, mode, retained };
  return { ...settings, storage, stateBackend };
}

const storageMethods = [
  'write',
  'read',
  'readChunk',
  'commit',
  'find',
  'lastNumber',
  'discard',
  'sweep',
  'remove',
] as const;

function checkStorage(storage: CheckpointStorage): void {
  const missing = storageMethods.filter((method) => !hasMethods(storage, method));
  if (missing.length === 0) return;
  const lacks = missing.length < storageMethods.length ? `; this one lacks ${missing.join(', ')}` : '';
  const expected = `a storage, such as fileCheckpoints(directory) or memoryCheckpoints()${lacks}`;
  throw new InvalidArgumentError('checkpoints.storage', storage, expected);
}
