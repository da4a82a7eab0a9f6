import type { JobEvent } from '../actors/job-event.ts';
import { type ChartServices, serveCharts } from './chart-services.ts';
import { OpenFailovers } from './failover/open-failovers.ts';
import type { JobMasterActorRef } from './job-master/job-master-machine.ts';
import { ResultKeeper } from './job-master/result-keeper.ts';
import { SlowTaskWatch } from './job-master/slow-task-watch.ts';
import type { JobServices } from './job-services.ts';

/** Creates the job master of a job. Start it and send it `job.start`. */
export function createJobMaster(services: JobServices): JobMasterActorRef {
  const { ledger, actors, charts } = services;
  const { regions, results, scheduling: turns } = ledger;
  const decisions = {
    get stoppedCount() {
      return ledger.stoppedCount;
    },
  };
  const input = { regionCount: regions.count, keepsResults: results.keptEdges.length > 0, decisions, turns };
  const master = actors.create(charts.master, 'master', input);
  const failovers = new OpenFailovers(services);
  const watched = watchSlowTasks(services, () => master.send({ type: 'speculation.due' }));
  serveCharts({ ...services, ...watched, master, failovers, resultKeeper: new ResultKeeper(services) });
  return master;
}

/** With speculation, the events of the charts also go to a watch over slow tasks, after all observers. */
function watchSlowTasks(
  { ledger, environment, observe, speculation }: JobServices,
  due: () => void,
): Pick<ChartServices, 'observe' | 'slowTasks'> {
  if (speculation === undefined) return { observe, slowTasks: undefined };
  const slowTasks = new SlowTaskWatch({ ...speculation, graph: ledger.graph, clock: environment.clock, due });
  const both = (event: JobEvent): void => {
    observe(event);
    slowTasks.next(event);
  };
  return { observe: both, slowTasks };
}
