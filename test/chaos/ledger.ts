import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** A line of the ledger: a call was made, or its answer was given and had time to be remembered. */
type Line = 'started' | 'answered';

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

  /** By call: how often it was started, and how often answered. */
  read(): ReadonlyMap<string, { readonly started: number; readonly answered: number }> {
    const found = new Map<string, { started: number; answered: number }>();
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : '';
    for (const line of text.split('\n').slice(0, -1)) {
      const [kind, call] = line.split(' ', 2) as [Line, string];
      const counts = found.get(call) ?? { started: 0, answered: 0 };
      found.set(call, counts);
      counts[kind]++;
    }
    return found;
  }
}
