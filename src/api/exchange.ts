import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { checkOptions, givenOf, type OptionNames } from '../options.ts';
import type { ExchangeSettings, MemoryOverflow, SyncPolicy } from '../graph/exchange-settings.ts';
import { type KeepResults, checkKeepResults, type KeepInRun } from '../graph/keep-results.ts';
import { type ExchangeName, exchangeTypes } from '../graph/exchange-type.ts';

/** How the results of one operator travel to the next: the name of an exchange, or one with options. */
export type Exchange = ExchangeName | ExchangeSettings;

/** Options of exchanges that can keep results on disk. */
export interface KeepOptions {
  /**
   * How long results are kept after their consumers have read them. Default: `keepResults` of the run. `{ directory }`
   * keeps them on disk beyond the job, for other jobs to read with `keptResult(directory)`; the directory must not
   * exist yet.
   */
  readonly keepResults?: KeepResults | undefined;
}

export interface MemoryExchangeOptions {
  /** How long results are kept after their consumers have read them. Default: `keepResults` of the run. */
  readonly keepResults?: KeepInRun | undefined;
  /**
   * Maximum bytes that results of this exchange hold in memory, within the run's `memoryBudgetBytes`. Default: all of
   * it.
   */
  readonly memoryBudgetBytes?: number | undefined;
  /**
   * Past the budget: `drop` the oldest batches that were read, so that a failed consumer restarts its producer too, or
   * `spill` the rest to disk. Default: `memoryOverflow` of the run.
   */
  readonly memoryOverflow?: MemoryOverflow | undefined;
}

export interface ReliableExchangeOptions extends KeepOptions {
  /**
   * When writes are synced to survive a machine crash: `checkpoint` (default: at checkpoints and when the result is
   * complete), with every `write`, or `never`.
   */
  readonly sync?: SyncPolicy | undefined;
  /**
   * Maximum bytes that results of this exchange hold on disk, within the run's `diskBudgetBytes`. Default: all of it.
   */
  readonly diskBudgetBytes?: number | undefined;
}

export interface BlockingExchangeOptions extends KeepOptions {
  /**
   * Maximum bytes that results of this exchange hold in memory, within the run's `memoryBudgetBytes`. Default: all of
   * it.
   */
  readonly memoryBudgetBytes?: number | undefined;
  /** Maximum bytes they hold on disk, within the run's `diskBudgetBytes`. Default: all of it. */
  readonly diskBudgetBytes?: number | undefined;
}

/**
 * An exchange whose results are read while they are written, and retained in memory up to a budget.
 *
 * @throws InvalidArgumentError for an option out of range
 */
export function memory(options: MemoryExchangeOptions = {}): ExchangeSettings {
  return checked('memory', options);
}

/**
 * An exchange whose results are read while they are written, and retained on disk.
 *
 * @example
 * ```ts
 * import { collect, fromArray, Job, reliable } from 'kintsugi';
 *
 * Job.create('paid')
 *   .source('texts', fromArray(['gold', 'dust']))
 *   .mapAsync(async (text) => text.length, { uid: 'paid-by-the-call' })
 *   .rebalance({ exchange: reliable({ sync: 'write' }) })
 *   .map((length) => length * 2)
 *   .sink('doubled', collect<number>());
 * ```
 *
 * @throws InvalidArgumentError for an option out of range
 */
export function reliable(options: ReliableExchangeOptions = {}): ExchangeSettings {
  return checked('reliable', options);
}

/**
 * An exchange whose results are read once they are complete. They are retained in memory, and past a budget on disk.
 *
 * @throws InvalidArgumentError for an option out of range
 */
export function blocking(options: BlockingExchangeOptions = {}): ExchangeSettings {
  return checked('blocking', options);
}

/** @throws InvalidArgumentError unless `exchange` is undefined, an exchange name, or an exchange with options. */
export function checkExchange(what: string, exchange: Exchange | undefined): ExchangeSettings | undefined {
  if (exchange === undefined) return undefined;
  const settings = typeof exchange === 'string' ? { name: exchange } : exchange;
  if (typeof settings !== 'object' || settings === null || !Object.hasOwn(exchangeTypes, settings.name)) {
    throw new InvalidArgumentError(
      what,
      exchange,
      '"pipelined", "memory", "reliable" or "blocking", or the return value of memory(), reliable() or blocking()',
    );
  }
  if (typeof exchange === 'string') return settings;
  const { name, ...options } = settings;
  return checked(name, options);
}

/** The options of each exchange. */
const optionsOf: Readonly<Record<ExchangeName, Partial<OptionNames<ExchangeSettings>>>> = {
  pipelined: {},
  memory: {
    memoryBudgetBytes: true,
    memoryOverflow: true,
    keepResults: true,
  } satisfies OptionNames<MemoryExchangeOptions>,
  reliable: { sync: true, diskBudgetBytes: true, keepResults: true } satisfies OptionNames<ReliableExchangeOptions>,
  blocking: {
    memoryBudgetBytes: true,
    diskBudgetBytes: true,
    keepResults: true,
  } satisfies OptionNames<BlockingExchangeOptions>,
};

function checked(name: ExchangeName, options: Omit<ExchangeSettings, 'name'>): ExchangeSettings {
  checkOptions<object>(name, options, optionsOf[name]);
  const { memoryBudgetBytes, diskBudgetBytes, memoryOverflow, sync, keepResults } = options;
  for (const [option, bytes] of Object.entries({ memoryBudgetBytes, diskBudgetBytes })) {
    if (bytes !== undefined && !(typeof bytes === 'number' && bytes >= 0))
      throw new InvalidArgumentError(`${option} of ${name}`, bytes, 'bytes ≥ 0');
  }
  if (memoryOverflow !== undefined && memoryOverflow !== 'drop' && memoryOverflow !== 'spill') {
    throw new InvalidArgumentError(`memoryOverflow of ${name}`, memoryOverflow, '"drop" or "spill"');
  }
  if (sync !== undefined && sync !== 'checkpoint' && sync !== 'write' && sync !== 'never') {
    throw new InvalidArgumentError(`sync of ${name}`, sync, '"checkpoint", "write" or "never"');
  }
  if (keepResults !== undefined) {
    checkKeepResults(`keepResults of ${name}`, keepResults, { mayOutlive: name !== 'memory' });
  }
  return Object.freeze({ ...givenOf(options), name });
}
