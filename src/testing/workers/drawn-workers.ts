import { type LinkPorts, LocalLink } from '../../actors/local-link.ts';
import type { Executors } from '../../executors/executors.ts';
import type { SpillStore } from '../../partitions/storage/spill-store.ts';
import type { RunExecutorsParts } from '../../run/executors/run-executors.ts';
import type { DrawnShape } from '../drawn-run.ts';
import type { ExecutorDeath } from '../checkpoints/late-commits.ts';
import { roughLink } from '../rough-link.ts';
import { type SeededRandom, seededRandom } from '../seeded-random.ts';
import { SimulatedWorkers } from './simulated-workers.ts';
import { cloning } from './worker-link.ts';

export interface DrawnWorkersOptions {
  /** How often a direction of the connection between the master and a worker goes silent for a while. */
  readonly outages: number;
  readonly spillStore: Pick<SpillStore, 'create'>;
  readonly maxSteps: () => number;
  /** Called when a worker dies, which is before it is lost. */
  readonly died: (death: ExecutorDeath) => void;
}

/** The workers of a run, with connections as its seed draws them. */
export function drawnWorkers(
  parts: RunExecutorsParts,
  { seed, messages }: DrawnShape,
  { outages, spillStore, maxSteps, died }: DrawnWorkersOptions,
): Executors {
  const random = seededRandom(seed).fork('worker threads');
  const { clock } = parts.options.environment;
  const rough = (fork: string, most = 0): LinkPorts => roughLink(clock, random.fork(fork), most);
  const prompt = cloning(new LocalLink(clock).link);
  const isRough = messages === 'rough';
  return new SimulatedWorkers(parts, {
    count: parts.options.executors as number,
    links: isRough
      ? { line: rough('line', outages), services: rough('services'), records: rough('records') }
      : { line: prompt, services: prompt, records: prompt },
    delayMs: isRough ? drawnDelays(random.fork('delays')) : () => 0,
    spillStoreOf: () => ({ create: (id) => spillStore.create(id), dispose: () => Promise.resolve() }),
    ...{ maxSteps, died },
  });
}

/** A thread that is to end may go on for a while, and one that starts may be late. */
function drawnDelays(random: SeededRandom): () => number {
  return () => random.pick([0, 0, 0, 1, 20, 200]);
}
