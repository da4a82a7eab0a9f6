import { join, resolve } from 'node:path';
import type { Environment } from '../../environment.ts';
import { JobValidationError } from '../../errors/usage-errors.ts';
import type { JournalStorage } from '../../journal/journal-storage.ts';
import { placeOf } from '../../partitions/claims/path-place.ts';
import { type ProcessTable, systemProcesses } from '../../partitions/claims/process-table.ts';
import { FileJournalStorage } from '../../partitions/storage/file-journal-storage.ts';
import type { Answers } from './answers.ts';
import type { AnswerMemories, AnswerMemory } from './answer-memory.ts';
import type { AsyncCallContext, OperatorDescription, RememberOptions } from '../operator-description.ts';
import { callFunctionOf } from '../calls/direct-calls.ts';
import { AnswerStore } from './answer-store.ts';
import type { AnswerOrigin } from './files/answer-record.ts';
import { stepParts } from '../identity/part-identities.ts';
import type { VersionOptions } from '../identity/step-declaration.ts';
import { OperatorAnswers } from './operator-answers.ts';

/** An operator of a job, by its uid. */
export interface NamedOperator {
  readonly uid: string;
  readonly description: OperatorDescription;
}

export interface RunAnswersOptions {
  readonly run: string;
  readonly environment: Environment;
  /** All operators of the job. */
  readonly operators: readonly NamedOperator[];
  /** Turns `remember` on for all operators that do not turn it off; its `answers` are the default directory. */
  readonly stateDirectory?: string | undefined;
  /** `never`: answers of earlier runs are not used. Default: they are. */
  readonly resume?: 'auto' | 'require' | 'never' | undefined;
  /** How long a call may take once no task waits for it. */
  readonly cancellationTimeoutMs: number;
  /** Default: files. */
  readonly storageOf?: ((directory: string) => JournalStorage) | undefined;
  /** Default: those of this machine. */
  readonly processes?: ProcessTable | undefined;
}

/** What opens the answers in a directory, of operators that share it. */
export type OpenAnswers = (directory: string, operators: readonly Remembering[]) => Promise<Answers>;

/** The memories of the operators that run in one executor. */
export interface RunMemories extends AnswerMemories {
  /** Opens what these operators need, once; undefined if that is open, or none of them remembers. */
  open(uids: readonly string[]): Promise<void> | undefined;
  /** Waits for calls in flight, as far as they have time left, and closes everything. */
  close(): Promise<void>;
}

/** An operator that remembers its answers. */
export interface Remembering {
  readonly uid: string;
  readonly version: string;
  readonly directory: string;
  readonly fn: (record: unknown, context: AsyncCallContext) => unknown;
  readonly options: RememberOptions;
}

/** The memories of a run: one per operator that remembers its answers, and a store per directory. */
export class RunAnswers implements RunMemories {
  readonly #options: RunAnswersOptions;
  readonly #openAnswers: OpenAnswers;
  readonly #remembering: readonly Remembering[];
  readonly #memoryByUid = new Map<string, OperatorAnswers>();
  #stores: readonly Answers[] = [];
  #opening: Promise<void> | undefined;
  #isOpen = false;

  /**
   * @param openAnswers default: from the files of the directory
   * @throws JobValidationError for an operator that remembers, but has no directory
   */
  constructor(options: RunAnswersOptions, openAnswers: OpenAnswers = answerFiles(options)) {
    this.#options = options;
    this.#openAnswers = openAnswers;
    this.#remembering = options.operators.flatMap((operator) => rememberingOf(operator, options.stateDirectory));
  }

  open(uids: readonly string[]): Promise<void> | undefined {
    if (this.#isOpen || !this.#remembering.some(({ uid }) => uids.includes(uid))) return undefined;
    this.#opening ??= this.#open().catch((error: unknown) => {
      // The next attempt tries again.
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  memoryOf(uid: string): AnswerMemory | undefined {
    return this.#memoryByUid.get(uid);
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => {});
    await Promise.all([...this.#memoryByUid.values()].map((memory) => memory.quiet()));
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  async #open(): Promise<void> {
    const openings = [...byDirectory(this.#remembering)].map(
      async ([directory, operators]) => [await this.#openAnswers(directory, operators), operators] as const,
    );
    const opened = await Promise.all(openings).catch(async (error: unknown) => {
      // The others as well: nobody knows of them, and the next attempt opens them again.
      await Promise.all(openings.map((opening) => opening.then(([store]) => store.close()).catch(() => {})));
      throw error;
    });
    this.#stores = opened.map(([store]) => store);
    for (const [store, operators] of opened) {
      for (const operator of operators) this.#memoryByUid.set(operator.uid, this.#memory(operator, store));
    }
    this.#isOpen = true;
  }

  #memory({ uid, version, fn, options }: Remembering, store: Answers): OperatorAnswers {
    return new OperatorAnswers({
      operator: uid,
      version,
      fn,
      store,
      clock: this.#options.environment.clock,
      keyOf: options.key as ((record: unknown) => unknown) | undefined,
      ttlMs: options.ttlMs ?? Number.POSITIVE_INFINITY,
      remembersErrors: options.errors ?? false,
      sinceMs: this.#options.resume === 'never' ? store.openedMs : Number.NEGATIVE_INFINITY,
      graceMs: this.#options.cancellationTimeoutMs,
    });
  }
}

/** The operators that remember their answers, by the place of their directory. */
export function byDirectory(remembering: readonly Remembering[]): ReadonlyMap<string, readonly Remembering[]> {
  const operators = new Map<string, Remembering[]>();
  for (const one of remembering) {
    const directory = placeOf(one.directory);
    operators.set(directory, [...(operators.get(directory) ?? []), one]);
  }
  return operators;
}

/** Opens the files of a directory. */
export function answerFiles(options: Omit<RunAnswersOptions, 'operators'>): OpenAnswers {
  const { run, environment, storageOf = (path) => new FileJournalStorage(path) } = options;
  const { processes = systemProcesses() } = options;
  const optionsOf = (operators: readonly Remembering[], origin: AnswerOrigin): RememberOptions | undefined =>
    operators.find(({ uid, version }) => uid === origin.operator && version === origin.version)?.options;
  return (directory, operators) =>
    AnswerStore.open({
      storage: storageOf(directory),
      processes,
      clock: environment.clock,
      logger: environment.logger,
      writer: run,
      maxBytes: Math.min(...operators.map(({ options: { maxBytes } }) => maxBytes ?? Number.POSITIVE_INFINITY)),
      ttlMsOf: (origin) => optionsOf(operators, origin)?.ttlMs ?? Number.POSITIVE_INFINITY,
      isSynced: operators.some(({ options: { sync } }) => sync === 'call')
        ? (origin) => optionsOf(operators, origin)?.sync === 'call'
        : undefined,
    });
}

/** Whether a `mapAsync` remembers its answers in a run with this state directory. */
export function remembersAnswers(
  description: OperatorDescription,
  stateDirectory: string | undefined,
): description is Extract<OperatorDescription, { kind: 'asyncMap' }> {
  if (description.kind !== 'asyncMap') return false;
  const { remember = stateDirectory !== undefined } = description.options;
  return remember !== false;
}

/**
 * Where an operator remembers its answers, and by which version they are found; empty if it does not.
 * @throws JobValidationError if it has no directory, or what its answers depend on cannot be compared
 */
export function rememberingOf(
  { uid, description }: NamedOperator,
  stateDirectory: string | undefined,
): readonly Remembering[] {
  if (!remembersAnswers(description, stateDirectory)) return [];
  const { remember } = description.options;
  const options = typeof remember === 'object' ? remember : {};
  const directory = options.directory ?? (stateDirectory && join(stateDirectory, 'answers'));
  if (directory === undefined) {
    throw new JobValidationError(
      [uid],
      `mapAsync "${uid}" has nowhere to remember its answers`,
      "Run the job with `stateDirectory`, or name a directory: `remember: { directory: 'answers' }`",
    );
  }
  const fn = callFunctionOf(description);
  return [{ uid, version: versionOf(uid, description), directory: resolve(directory), fn, options }];
}

/** What the answers of a function depend on: its version, or else a hash of its source text; and the declared inputs. */
function versionOf(uid: string, { fn, options }: Extract<OperatorDescription, { kind: 'asyncMap' }>): string {
  const { version, inputs } = options as VersionOptions;
  const parts = stepParts({ role: 'operator', kind: 'asyncMap', functions: { function: fn }, version, inputs });
  return Object.entries(parts)
    .map(([name, part]) => {
      if (part.kind === 'version') return `${part.version}`;
      if (part.kind === 'text' || part.kind === 'data') return `${name} ${part.hash.slice(0, 16)}`;
      throw new JobValidationError(
        [uid],
        `mapAsync "${uid}" cannot remember its answers: its ${name} ${part.kind === 'unknown' ? part.why : 'cannot be compared'}`,
        'Give the operator a `version`, or set `remember: false`',
      );
    })
    .join(', ');
}
