import { planJob } from '../api/job-planner.ts';
import type { JobDefinition } from '../api/stream-graph.ts';
import { causeWithCode } from '../errors/cause-chain.ts';
import type { Executors } from '../executors/executors.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import type { LmdbState } from '../operators/state/disk/lmdb-state.ts';
import type { CapturedOutput } from './captured-output.ts';
import type { DrawnCheckpoints } from './checkpoints/drawn-checkpoints.ts';
import { SimulatedCheckpoints } from './checkpoints/simulated-checkpoints.ts';
import type { SimulatedSavepoint } from './checkpoints/simulated-savepoint.ts';
import type { DrawnRun } from './drawn-run.ts';
import type { SeededRandom } from './seeded-random.ts';
import { runSimulated, type SimulatedEnd, type UndrawnOptions } from './simulated-run.ts';
import { MemorySpillStore } from './storage/memory-spill-store.ts';
import { virtualEnvironment } from './virtual-environment.ts';

/** A simulated run that has taken a savepoint. */
export interface RunWithSavepoint {
  readonly job: JobDefinition;
  readonly drawn: DrawnRun & { readonly checkpoints: DrawnCheckpoints };
  readonly captured: CapturedOutput;
  readonly checkpoints: SimulatedCheckpoints;
  readonly savepoint: SimulatedSavepoint;
  readonly random: SeededRandom;
  readonly options: UndrawnOptions;
  /** Where tasks keep keyed states. Default: in memory. */
  readonly stateBackend?: LmdbState | undefined;
}

/** The end of a run that continued from a savepoint. */
export interface ContinuedEnd {
  readonly ended: SimulatedEnd;
  readonly checkpoints: SimulatedCheckpoints;
  readonly parallelism: number;
  readonly problems: readonly string[];
}

/**
 * Continues from the savepoint of a simulated run, at the drawn parallelism; or at its own, where the drawn one is refused
 * because it would put steps into one task of which some had finished. Faults that have not struck yet strike now.
 */
export async function continueRun(before: RunWithSavepoint): Promise<ContinuedEnd> {
  const { drawn, checkpoints } = before;
  const wanted = drawn.checkpoints.savepoint?.parallelism ?? drawn.parallelism;
  const end = await continueAt(before, wanted);
  const mismatch = causeWithCode(end.ended.failure, 'SAVEPOINT_MISMATCH');
  if (wanted === drawn.parallelism || mismatch?.message.includes('had finished') !== true) return end;
  checkpoints.moments.strike = () => {};
  return await continueAt(before, drawn.parallelism);
}

async function continueAt(before: RunWithSavepoint, parallelism: number): Promise<ContinuedEnd> {
  const { job, captured, savepoint, random, options, stateBackend } = before;
  const drawn = { ...before.drawn, parallelism, slots: Number.POSITIVE_INFINITY };
  const environment = virtualEnvironment({ seed: drawn.seed + 1, order: 'shuffled', logger: options.logger });
  const { moments } = before.checkpoints;
  const storageRandom = random.fork('storage of the continued run');
  const checkpoints = new SimulatedCheckpoints(drawn.checkpoints, environment.clock, storageRandom, moments);
  captured.nextRun();
  // Until its tasks run: who begins with a savepoint tries again.
  moments.isQuiet = true;
  const plan = planJob({ ...drawn, name: job.name, steps: captured.inPlaceOfSinks(job.steps) });
  const graph = new ExecutionGraph(plan.jobGraph);
  const spillStore = new MemorySpillStore(environment.clock, { faults: environment.faults });
  let executors: Executors | undefined;
  const ended = await runSimulated(plan, environment, drawn, spillStore, options, {
    started: (started) => {
      executors = started;
    },
    ...{ checkpoints, savepoint, stateBackend, continues: true },
    running: (run) => {
      checkpoints.watch(graph, random.fork('later strikes'), () => ({ run, executors }));
      run.events$.subscribe((event) => {
        if (event.type === 'job.statusChanged' && event.status === 'running') moments.isQuiet = false;
      });
    },
  });
  const regions = pipelinedRegions(graph);
  const problems = [
    ...ended.history.violations(graph, regions),
    ...checkpoints.problems(ended.run, ended.history.events, graph, regions, { continues: true }),
    ...captured.lateCommits(ended, drawn),
    ...ended.leftovers,
    ...ended.unrecorded,
  ];
  return {
    ...{ ended, checkpoints, parallelism },
    problems: problems.map((problem) => `continued at parallelism ${parallelism}: ${problem}`),
  };
}
