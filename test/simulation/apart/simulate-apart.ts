import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Area, DrawnSeeds, SummaryOf } from '../areas.ts';
import { simulationProcess } from './simulation-process.ts';

/** The longest silence of a simulation on a busy machine. */
const longestSilenceMs = 120_000;

/** What a process has simulated. */
export class SimulatedSeeds {
  readonly #plan: readonly DrawnSeeds[];
  readonly #summaries: readonly Totals[];

  constructor(plan: readonly DrawnSeeds[], summaries: readonly Totals[]) {
    this.#plan = plan;
    this.#summaries = summaries;
  }

  /** The sums of an area over its small and its large seeds. */
  of<Name extends Area>(area: Name): SummaryOf<Name> {
    return this.#summaries
      .filter((_, index) => this.#plan[index]?.area === area)
      .reduce((one, other) => added(one, other)) as unknown as SummaryOf<Name>;
  }
}

/** Counts, counts by name, and lists. */
interface Totals {
  readonly [name: string]: number | readonly string[] | Readonly<Record<string, number>>;
}

function added(one: Totals, other: Totals): Totals {
  const sum: Record<string, Totals[string]> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const before = sum[name];
    if (before === undefined) sum[name] = value;
    else if (typeof value === 'number') sum[name] = (before as number) + value;
    else if (Array.isArray(value)) sum[name] = [...(before as readonly string[]), ...(value as readonly string[])];
    else sum[name] = added(before as Totals, value as Totals) as Record<string, number>;
  }
  return sum;
}

/**
 * Simulates seeds one after the other in a separate process, because it is twice as fast without Jest: a single one, because V8
 * needs some seconds until it has optimized the engine.
 */
export async function simulateApart(plan: readonly DrawnSeeds[]): Promise<SimulatedSeeds> {
  const child = await simulationProcess(['--plan', JSON.stringify(plan)]);
  let told = '';
  const silence = setTimeout(() => child.kill(), longestSilenceMs);
  child.stderr?.setEncoding('utf8').on('data', (line: string) => {
    told += line;
    silence.refresh();
  });
  try {
    return new SimulatedSeeds(plan, JSON.parse(await text(child.stdout as Readable)) as readonly Totals[]);
  } catch (error) {
    throw new Error(`the simulation ended without a summary, or got stuck; it told:\n${told}`, { cause: error });
  } finally {
    clearTimeout(silence);
  }
}
