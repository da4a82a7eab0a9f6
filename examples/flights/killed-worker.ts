import type { JobEvent } from 'kintsugi';
import { steered } from '../steered.ts';
import type { Airports } from './airports.ts';
import { type Outcome, runFlights } from './flights-run.ts';

/** Kills a worker while by-airport runs, and says what was lost, what restarted, and what was re-used. */
export async function killedWorker(expected: Airports): Promise<Outcome> {
  const events: JobEvent[] = [];
  const outcome = await runFlights({
    label: 'a worker is killed',
    expected,
    atHalf: async (run) => {
      run.events$.subscribe((event) => events.push(event));
      const act = await steered(run);
      await act('lose-executor', { executor: 'worker-1' });
    },
  });
  console.log(story(events, outcome));
  return outcome;
}

function story(events: readonly JobEvent[], { receipt }: Outcome): string {
  const of = <Type extends JobEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);
  const failed = of('task.failed').flatMap(({ task, alsoFailed = [] }) => [task ?? 'the job', ...alsoFailed]);
  const lost = of('partition.lost').map(({ partition }) => partition);
  const restarted = of('failover.decided').reduce((sum, { taskCount }) => sum + taskCount, 0);
  const reused = of('failover.decided').flatMap((decided) => decided.reused);
  const records = reused.reduce((sum, one) => sum + one.records, 0);
  const ended = of('task.stateChanged').filter(({ attempt, state }) => attempt > 0 && state === 'finished');
  return [
    ...of('executor.lost').map(({ cause }) => `  ${cause.message}`),
    `  lost: running tasks of ${failed.length} regions (${listed(failed)})`,
    `        ${lost.length} results that it held (${listed(lost)})`,
    ...of('executor.registered').map(({ executor }) => `  ${executor} takes its place`),
    `  restarted: ${restarted} of ${receipt.tasks.total} tasks (${listed(ended.map(({ task }) => task))})`,
    `  re-used: ${reused.length} results of the other workers, ${(records / 1e6).toFixed(2)} M records`,
  ].join('\n');
}

function listed(names: readonly string[]): string {
  return [...new Set(names)].sort().join(', ');
}
