import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** What a process counts: calls, their answers, records between operators, events of the run. */
export type Instant = (typeof instants)[number];

const instants = ['call', 'answer', 'record', 'event'] as const;

/** The instants of a process, counted over all of its threads: by files, which are all that they share. */
export class Instants {
  readonly #directory: string;
  #armed: Readonly<Record<Instant, number>> | undefined;

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

  /** From now on its `since` counts. */
  arm(): void {
    const counts = Object.fromEntries(instants.map((instant) => [instant, this.count(instant)]));
    writeFileSync(join(this.#directory, 'arming'), JSON.stringify(counts));
    renameSync(join(this.#directory, 'arming'), join(this.#directory, 'armed'));
  }

  /** How many of `count` came after it was armed; undefined if it is not. */
  since(instant: Instant, count: number): number | undefined {
    const path = join(this.#directory, 'armed');
    if (this.#armed === undefined && existsSync(path)) {
      this.#armed = JSON.parse(readFileSync(path, 'utf8')) as Record<Instant, number>;
    }
    return this.#armed && count - this.#armed[instant];
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
