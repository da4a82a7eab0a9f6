import { appendFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What a process counts: calls, their answers, records between operators, events of the run. */
export type Instant = 'call' | 'answer' | 'record' | 'event';

/** The instants of a process, counted over all of its threads: by files, which are all that they share. */
export class Instants {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** One more. Returns how many there were with it. */
  passed(instant: Instant): number {
    appendFileSync(join(this.#directory, instant), '.');
    return this.count(instant);
  }

  count(instant: Instant): number {
    const path = join(this.#directory, instant);
    return existsSync(path) ? statSync(path).size : 0;
  }

  /** Whether nobody has claimed the name before. */
  claim(name: string): boolean {
    try {
      mkdirSync(join(this.#directory, `claimed ${name}`));
      return true;
    } catch {
      return false;
    }
  }

  get claimed(): readonly string[] {
    return readdirSync(this.#directory).flatMap((name) => (name.startsWith('claimed ') ? [name.slice(8)] : []));
  }
}
