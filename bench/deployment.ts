import { createActor, setup } from 'xstate';
import type { JobGraph } from '../src/graph/job-graph.ts';
import { type Bench, type BenchOptions, type BenchRow, compare, measure } from './harness.ts';
import { inWords, pipelinedShuffle, pipelines } from './job-shapes.ts';
import { NoOpCluster } from './no-op-cluster.ts';

const taskCount = 20_000;

/**
 * From the job graph to the last task running. The job is not ended; it holds no resources and is collected as it is.
 */
async function deploy(jobGraph: () => JobGraph): Promise<NoOpCluster> {
  const cluster = new NoOpCluster(jobGraph());
  await cluster.start();
  if (cluster.deployedCount !== taskCount) throw new Error(`${cluster.deployedCount} tasks were deployed`);
  return cluster;
}

const bareMachine = setup({
  types: { events: {} as { type: 'schedule' } | { type: 'deploy' } | { type: 'initialize' } | { type: 'run' } },
}).createMachine({
  initial: 'created',
  states: {
    created: { on: { schedule: 'scheduled' } },
    scheduled: { on: { deploy: 'deploying' } },
    deploying: { on: { initialize: 'initializing' } },
    initializing: { on: { run: 'running' } },
    running: {},
  },
});

/**
 * XState's own cost: as many charts with five states, each created, started and sent the events that lead to its last
 * state.
 */
function bareActors(): unknown {
  const actors = Array.from({ length: taskCount }, () => createActor(bareMachine).start());
  for (const type of ['schedule', 'deploy', 'initialize', 'run'] as const)
    for (const actor of actors) actor.send({ type });
  return actors;
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const shapes = [
    { name: '10,000 pipelines of two', jobGraph: () => pipelines(taskCount / 2) },
    { name: 'one region, a pipelined shuffle', jobGraph: () => pipelinedShuffle(taskCount / 2) },
  ];
  const rows: BenchRow[] = [];
  for (const { name, jobGraph } of shapes) {
    rows.push(
      await measure({
        name: `deployment of ${inWords(taskCount)} no-op tasks, ${name}`,
        run: () => deploy(jobGraph),
        goal: { atMost: 1_500 },
        rounds: 7,
        warmUp: 2,
        effort,
      }),
    );
    rows.push(
      await compare({
        name: `deployment of ${inWords(taskCount)} no-op tasks, ${name}, beside ${inWords(taskCount)} bare XState actors`,
        ours: () => deploy(jobGraph),
        baseline: bareActors,
        goal: { atLeast: 1 },
        rounds: 5,
        warmUp: 1,
        effort,
      }),
    );
  }
  return rows;
}

/** Deploying a job's tasks until all run, through the real charts. */
export const benches: readonly Bench[] = [{ name: 'deployment', run }];
