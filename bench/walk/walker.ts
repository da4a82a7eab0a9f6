import { type SourceFunction, walkGlobal } from './instrument.ts';
import { describeLeftOut, fits, type LeftOut } from './left-out.ts';

/** An entry into a function of the engine. */
export interface Entry {
  /** Path below `src/`. */
  readonly file: string;
  readonly name: string;
  /** How many functions of the engine are below it on the stack, without those left out. */
  readonly depth: number;
}

interface DeclaredFile {
  readonly file: string;
  readonly functions: readonly SourceFunction[];
  readonly lineStarts: readonly number[];
}

type Frame = Pick<NodeJS.CallSite, 'getFileName' | 'getLineNumber' | 'getColumnNumber' | 'isAsync'>;

/**
 * Records the functions of the engine that are entered between `start` and `stop`, in order. At each entry it reads
 * the stack, so it knows the callers without changing how the code runs: promises settle as usual.
 */
export class Walker {
  readonly entries: Entry[] = [];
  readonly #leftOut: readonly LeftOut[];
  readonly #files = new Map<string, DeclaredFile>();
  readonly #urlByFile = new Map<string, string>();
  #fault: Error | undefined;
  #state: 'before' | 'walking' | 'after' = 'before';

  constructor(leftOut: readonly LeftOut[]) {
    this.#leftOut = leftOut;
  }

  /** Makes this the walker that instrumented code calls. */
  install(): void {
    Object.assign(globalThis, { [walkGlobal]: this });
  }

  /** Called by instrumented code when it is loaded. */
  declare(file: string, url: string, functions: readonly SourceFunction[], lineStarts: readonly number[]): void {
    this.#files.set(url, { file, functions, lineStarts });
    this.#urlByFile.set(file, url);
  }

  /** Called by instrumented code at the start of each function. */
  enter(file: string, index: number): void {
    if (this.#state !== 'walking') return;
    const declared = this.#files.get(this.#urlByFile.get(file) ?? '');
    const name = declared?.functions[index]?.name;
    // Still loading.
    if (name === undefined) return;
    const [entered, ...callers] = this.#stack();
    if (entered?.file !== file || entered.name !== name) {
      // An error thrown from here would fail the task.
      this.#fault ??= new Error(
        `${name} of ${file} is on the stack as ${entered?.name}: the instrumented code was compiled again`,
      );
    }
    if (this.#leftOut.some((left) => fits(left, file, name))) return;
    if (callers.some((caller) => this.#hides(caller))) return;
    const depth = callers.filter(
      (caller) => !this.#leftOut.some((left) => fits(left, caller.file, caller.name)),
    ).length;
    this.entries.push({ file, name, depth });
  }

  /** Begins the walk, on the first call. */
  start(): void {
    if (this.#state === 'before') this.#state = 'walking';
  }

  /** Ends the walk. */
  stop(): void {
    if (this.#state === 'walking') this.#state = 'after';
  }

  get isOver(): boolean {
    return this.#state === 'after';
  }

  /**
   * @throws Error if the walk is meaningless: it has no end, the stack cannot be read, or an entry to leave out does
   * not exist.
   */
  assertSound(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (!this.isOver) throw new Error('The walk has no end');
    const files = [...this.#files.values()];
    for (const left of this.#leftOut) {
      const isThere = files.some(({ file, functions }) => functions.some(({ name }) => fits(left, file, name)));
      if (!isThere) throw new Error(`Nothing matches the entry to leave out: "${describeLeftOut(left)}"`);
    }
  }

  #hides(caller: { readonly file: string; readonly name: string }): boolean {
    return this.#leftOut.some((left) => left.extent === 'with all it calls' && fits(left, caller.file, caller.name));
  }

  /** The engine's functions on the stack, innermost first. */
  #stack(): { readonly file: string; readonly name: string }[] {
    const stack: { file: string; name: string }[] = [];
    for (const frame of stackFrames()) {
      // Everything beyond waits for a promise.
      if (frame.isAsync()) break;
      const declared = this.#files.get(frame.getFileName() ?? '');
      if (declared === undefined) continue;
      const offset = (declared.lineStarts[(frame.getLineNumber() ?? 1) - 1] ?? 0) + (frame.getColumnNumber() ?? 1) - 1;
      // The innermost one begins last.
      const around = declared.functions.findLast(({ start, end }) => start <= offset && offset < end);
      if (around !== undefined) stack.push({ file: declared.file, name: around.name });
    }
    return stack;
  }
}

/** The whole stack, innermost first. */
function stackFrames(): readonly Frame[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = Number.POSITIVE_INFINITY;
  Error.prepareStackTrace = (_, frames) => frames;
  const { stack } = new Error();
  Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  return stack as unknown as readonly Frame[];
}
