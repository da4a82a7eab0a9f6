import type { JobEvent } from '../actors/job-event.ts';
import { serveCharts } from './chart-services.ts';
import { type FailedComponent, JobCheckpoints } from './checkpoint-coordinator/job-checkpoints.ts';
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
  const slowTasks = watchSlowTasks(services, () => master.send({ type: 'speculation.due' }));
  const checkpoints = coordinateCheckpoints(services, (failed) =>
    master.send({ type: 'checkpoints.failed', ...failed }),
  );
  const observe = observedBy(services.observe, [slowTasks, checkpoints]);
  serveCharts({
    ...{ ...services, observe, slowTasks, checkpoints, master, failovers },
    resultKeeper: new ResultKeeper(services),
  });
  return master;
}

/** With speculation, a watch over slow tasks. */
function watchSlowTasks({ ledger, environment, speculation }: JobServices, due: () => void): SlowTaskWatch | undefined {
  if (speculation === undefined) return undefined;
  return new SlowTaskWatch({ ...speculation, graph: ledger.graph, clock: environment.clock, due });
}

function coordinateCheckpoints(
  { checkpointing, environment, ...services }: JobServices,
  failed: (component: FailedComponent) => void,
): JobCheckpoints | undefined {
  if (checkpointing === undefined) return undefined;
  return new JobCheckpoints({ ...services, checkpointing, clock: environment.clock, failed });
}

/** Events of the charts go to those that follow them, too, after all observers. */
function observedBy(
  observe: JobServices['observe'],
  followers: readonly ({ next(event: JobEvent): void } | undefined)[],
): JobServices['observe'] {
  const present = followers.filter((follower) => follower !== undefined);
  if (present.length === 0) return observe;
  return (event) => {
    observe(event);
    for (const follower of present) follower.next(event);
  };
}
