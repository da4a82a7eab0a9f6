import { enqueueActions } from 'xstate';
import type { OpenFailovers } from '../failover/open-failovers.ts';
import { RestartRequestedError } from '../../errors/job-errors.ts';
import type { JobServices } from '../job-services.ts';
import type { MasterActions } from './job-master-machine.ts';
import type { Told } from './job-master-setup.ts';
import { tellRegion } from './tell-regions.ts';

type Named = 'restartOnRequest' | 'skipBackoff' | 'failTask' | 'slowTask';

/** The actions of the job master on requests of the user: restarts, and faults on purpose. */
export function requestActions(
  { ledger, gateway }: Pick<JobServices, 'ledger' | 'gateway'>,
  failovers: OpenFailovers,
): Pick<MasterActions, Named> {
  return {
    restartOnRequest: enqueueActions(({ self }, { vertex }: Told<'job.restartTask'>) => {
      const cause = new RestartRequestedError(ledger.graph.nameOf(vertex));
      failovers.open({ vertex, attempt: ledger.attemptOf(vertex), cause, isRequested: true }, self);
    }),
    skipBackoff: enqueueActions(({ enqueue }, { region }: Told<'job.skipBackoff'>) => {
      tellRegion(ledger, enqueue, region, { type: 'region.skipBackoff' });
    }),
    failTask: (_, { vertex, cause }) => {
      const executor = ledger.attempts.executorOf(vertex);
      if (executor !== undefined) gateway.failTask(executor, vertex, ledger.attemptOf(vertex), cause);
    },
    slowTask: (_, { vertex, delayMs }) => {
      const executor = ledger.attempts.executorOf(vertex);
      if (executor !== undefined) gateway.slowTask(executor, vertex, ledger.attemptOf(vertex), delayMs);
    },
  };
}
