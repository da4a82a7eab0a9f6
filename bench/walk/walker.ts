import { type SourceFunction, walkGlobal } from './instrument.ts';
import { describeLeftOut, fits, type LeftOut } from './left-out.ts';

/** A function of the engine was entered. */
export interface Entry {
  /** Below `src/`. */
  readonly file: string;
  readonly name: string;
  /** How many functions of the engine are below it on the stack; what is left out is not counted. */
  readonly depth: number;
}

interface DeclaredFile {
  readonly file: string;
  readonly functions: readonly SourceFunction[];
  readonly lineStarts: readonly number[];
}

type Frame = Pick<NodeJS.CallSite, 'getFileName' | 'getLineNumber' | 'getColumnNumber' | 'isAsync'>;

/**
 * Writes down which functions of the engine are entered, in their order, between `start` and `stop`. It looks at the stack at
 * each of them, so that it knows who called without a change to how anything runs: promises settle as they would without it.
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

  /** Makes this the walker that instrumented code reports to. */
  install(): void {
    Object.assign(globalThis, { [walkGlobal]: this });
  }

  /** For instrumented code, as it has been loaded. */
  declare(file: string, url: string, functions: readonly SourceFunction[], lineStarts: readonly number[]): void {
    this.#files.set(url, { file, functions, lineStarts });
    this.#urlByFile.set(file, url);
  }

  /** For instrumented code, at the start of each function. */
  enter(file: string, index: number): void {
    if (this.#state !== 'walking') return;
    const declared = this.#files.get(this.#urlByFile.get(file) ?? '');
    const name = declared?.functions[index]?.name;
    // Still loading.
    if (name === undefined) return;
    const [entered, ...callers] = this.#stack();
    if (entered?.file !== file || entered.name !== name) {
      // Thrown from here it would be a failure of the task.
      this.#fault ??= new Error(`${name} of ${file} is on the stack as ${entered?.name}: it was compiled once more`);
    }
    if (this.#leftOut.some((left) => fits(left, file, name))) return;
    if (callers.some((caller) => this.#hides(caller))) return;
    const depth = callers.filter(
      (caller) => !this.#leftOut.some((left) => fits(left, caller.file, caller.name)),
    ).length;
    this.entries.push({ file, name, depth });
  }

  /** Begins the walk, the first time that it is called. */
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

  /** @throws Error if the walk means nothing: it has no end, the stack cannot be read, or what is left out is not there. */
  assertSound(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (!this.isOver) throw new Error('The walk has no end');
    const files = [...this.#files.values()];
    for (const left of this.#leftOut) {
      const isThere = files.some(({ file, functions }) => functions.some(({ name }) => fits(left, file, name)));
      if (!isThere) throw new Error(`Nothing fits what is left out as "${describeLeftOut(left)}"`);
    }
  }

  #hides(caller: { readonly file: string; readonly name: string }): boolean {
    return this.#leftOut.some((left) => left.extent === 'with all it calls' && fits(left, caller.file, caller.name));
  }

  /** The engine's functions that are on the stack, innermost first. */
  #stack(): { readonly file: string; readonly name: string }[] {
    const stack: { file: string; name: string }[] = [];
    for (const frame of stackFrames()) {
      // What is beyond waits for a promise.
      if (frame.isAsync()) break;
      const declared = this.#files.get(frame.getFileName() ?? '');
      if (declared === undefined) continue;
      const offset = (declared.lineStarts[(frame.getLineNumber() ?? 1) - 1] ?? 0) + (frame.getColumnNumber() ?? 1) - 1;
      // The innermost is the one that begins last.
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
