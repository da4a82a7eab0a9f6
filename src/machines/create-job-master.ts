import { serveCharts } from './chart-services.ts';
import { OpenFailovers } from './failover/open-failovers.ts';
import type { JobMasterActorRef } from './job-master/job-master-machine.ts';
import { ResultKeeper } from './job-master/result-keeper.ts';
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
  serveCharts({ ...services, master, failovers, resultKeeper: new ResultKeeper(services) });
  return master;
}
