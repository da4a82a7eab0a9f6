import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** A line of the ledger: a call was made; it failed; or its answer was given and had time to be remembered. */
type Line = 'started' | 'failed' | 'answered';

/** How often a call was started, how often it failed, and how often it was answered. */
export type LedgerCounts = Readonly<Record<Line, number>>;

/**
 * The calls of a job, as the service that is paid for them sees them: one line at the start of each, which survives the
 * process, and one for its answer.
 */
export class Ledger {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(line: Line, call: string): void {
    appendFileSync(this.#path, `${line} ${call}\n`);
  }

  /** Its size now, to read what is added later. */
  get size(): number {
    return this.#text.length;
  }

  /** By call, from what was added since it had a size. */
  read(since = 0): ReadonlyMap<string, LedgerCounts> {
    const found = new Map<string, Record<Line, number>>();
    for (const line of this.#text.slice(since).split('\n').slice(0, -1)) {
      const [kind, call] = line.split(' ', 2) as [Line, string];
      const counts = found.get(call) ?? { started: 0, failed: 0, answered: 0 };
      found.set(call, counts);
      counts[kind]++;
    }
    return found;
  }

  get #text(): string {
    return existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
  }
}
