import type { delayActor } from '../actors/delay-actor.ts';
import { checkpointCoordinatorMachine } from './checkpoint-coordinator/checkpoint-coordinator-machine.ts';
import { coordinatorActions, pendingActions } from './checkpoint-coordinator/coordinator-actions.ts';
import { pendingCheckpointMachine } from './checkpoint-coordinator/pending-checkpoint-machine.ts';
import { engineChart } from './engine-chart.ts';
import { executionActions } from './execution/execution-actions.ts';
import { executionMachine } from './execution/execution-machine.ts';
import { failoverActions } from './failover/failover-actions.ts';
import { failoverMachine } from './failover/failover-machine.ts';
import { heartbeatActions } from './heartbeat/heartbeat-actions.ts';
import { heartbeatMachine } from './heartbeat/heartbeat-machine.ts';
import { jobMasterMachine } from './job-master/job-master-machine.ts';
import { masterActions } from './job-master/master-actions.ts';
import type { JobCharts } from './job-services.ts';
import { regionActions } from './region/region-actions.ts';
import { regionMachine } from './region/region-machine.ts';

/** The actors that charts of a job invoke. */
export interface JobActors {
  readonly delay: typeof delayActor;
}

/** Makes the charts of jobs. Once per process is enough: their actions ask for the services of their job. */
export function jobCharts({ delay }: JobActors): JobCharts {
  return {
    master: engineChart(jobMasterMachine).provide({ actions: masterActions }),
    region: engineChart(regionMachine).provide({ actors: { delay }, actions: regionActions }),
    execution: engineChart(executionMachine).provide({ actions: executionActions }),
    failover: engineChart(failoverMachine).provide({ actors: { delay }, actions: failoverActions }),
    checkpointCoordinator: engineChart(checkpointCoordinatorMachine).provide({
      actors: { delay },
      actions: coordinatorActions,
    }),
    pendingCheckpoint: engineChart(pendingCheckpointMachine).provide({ actors: { delay }, actions: pendingActions }),
    heartbeat: engineChart(heartbeatMachine).provide({ actors: { delay }, actions: heartbeatActions }),
  };
}
