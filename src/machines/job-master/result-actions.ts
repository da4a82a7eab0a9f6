import { enqueueActions } from 'xstate';
import type { JobServices } from '../job-services.ts';
import type { MasterActions } from './job-master-machine.ts';
import { ResultKeeper } from './result-keeper.ts';

type Named = 'releaseConsumed' | 'releaseReproduced' | 'stopReleasing' | 'keepResults' | 'reportUnkept';

/** The actions of the job master on results that were read, or that outlive the job. */
export function resultActions(
  services: Pick<JobServices, 'ledger' | 'environment' | 'gateway' | 'observe'>,
): Pick<MasterActions, Named> {
  const { ledger, environment, gateway, observe } = services;
  const keeper = new ResultKeeper(services);
  return {
    releaseConsumed: (_, { region }) => keeper.noteConsumed(ledger.results.regionFinished(region)),
    releaseReproduced: (_, { vertex }) => keeper.noteConsumed(ledger.results.consumedOf(vertex)),
    stopReleasing: () => keeper.stop(),
    keepResults: enqueueActions(({ self }) => gateway.keepResults((outcome) => self.send(outcome))),
    reportUnkept: (_, { cause }) => observe({ type: 'results.keepFailed', cause, atMs: environment.clock.now() }),
  };
}
