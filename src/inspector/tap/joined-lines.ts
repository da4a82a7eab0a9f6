import { decodeValue } from '../recording/decode-value.ts';
import { encodeValue, type Redact } from '../recording/plain-value.ts';
import type { ActorsLine, RecordedActor, TraceLine } from '../recording/recording-line.ts';
import type { ActorLine } from './actor-lines.ts';
import type { ActorSequence } from './actor-sequence.ts';
import type { ChartNames } from './chart-names.ts';
import { traceLimits } from './trace-limits.ts';

export interface JoinedLinesOptions {
  readonly run: string;
  readonly nowMs: () => number;
  readonly emit: (line: ActorLine) => void;
  readonly numbers: ActorSequence;
  readonly charts: ChartNames;
  readonly redact: Redact | undefined;
  readonly rootNumber: () => number;
}

/**
 * The lines of the tap of another thread, made lines of this recording: its actors get numbers of their own, its charts
 * the names that they have here, its root is the root here. Times are those at which the lines arrive, because the clock
 * of another thread has another beginning.
 */
export class JoinedLines {
  readonly #options: JoinedLinesOptions;
  /** The numbers here, by those there. */
  readonly #numbers = new Map<number, number>();
  /** The names of charts here, by those there. */
  readonly #charts = new Map<string, string>();
  /** The number of its root, there. */
  #root: number | undefined;

  constructor(options: JoinedLinesOptions) {
    this.#options = options;
  }

  take(line: ActorLine): void {
    const { charts, emit, nowMs } = this.#options;
    switch (line.type) {
      case 'chart':
        this.#charts.set(line.chart, charts.named(line.chart, line.definition));
        for (const chart of charts.takeNew()) emit(chart);
        return;
      case 'actors':
        return this.#actors(line);
      case 'trace':
        return this.#trace(line);
      default:
        emit({ type: 'gap', atMs: nowMs(), lines: line.lines });
    }
  }

  /** None of its actors is left. */
  end(): void {
    const stopped = [...this.#numbers].filter(([there]) => there !== this.#root).map(([, here]) => here);
    this.#numbers.clear();
    const { emit, nowMs } = this.#options;
    if (stopped.length > 0) emit({ type: 'actors', atMs: nowMs(), started: [], states: [], stopped });
  }

  #actors({ started, states, stopped }: ActorsLine): void {
    const { emit, nowMs } = this.#options;
    emit({
      type: 'actors',
      atMs: nowMs(),
      started: started.flatMap((actor) => this.#started(actor)),
      states: states.flatMap(([there, paths]) => {
        const here = this.#numbers.get(there);
        return here === undefined ? [] : [[here, paths] as const];
      }),
      stopped: stopped.flatMap((there) => {
        const here = this.#numbers.get(there);
        this.#numbers.delete(there);
        return here === undefined || there === this.#root ? [] : [here];
      }),
    });
  }

  #started({ actor, id, chart, parent }: RecordedActor): RecordedActor[] {
    const { run, numbers, rootNumber } = this.#options;
    if (id === run) {
      this.#root = actor;
      this.#numbers.set(actor, rootNumber());
      return [];
    }
    const here = numbers.next();
    this.#numbers.set(actor, here);
    return [
      {
        actor: here,
        id,
        chart: chart && this.#charts.get(chart),
        parent: parent === undefined ? undefined : this.#numbers.get(parent),
      },
    ];
  }

  #trace({ actor, source, payload, ...line }: TraceLine): void {
    const { emit, nowMs } = this.#options;
    const here = this.#numbers.get(actor);
    if (here === undefined) return;
    emit({
      ...line,
      atMs: nowMs(),
      actor: here,
      source: source === undefined ? undefined : this.#numbers.get(source),
      payload: this.#redacted(payload, 'payload'),
      ...(line.context !== undefined && { context: this.#redacted(line.context, 'context') }),
    });
  }

  /** The hook is a function of this thread; likely secrets were left out there. */
  #redacted(encoded: unknown, path: string): unknown {
    const { redact } = this.#options;
    return redact === undefined ? encoded : encodeValue(decodeValue(encoded), path, { redact, limits: traceLimits });
  }
}
