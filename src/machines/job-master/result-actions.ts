import { enqueueActions } from 'xstate';
import { chartServicesOf } from '../chart-services.ts';
import type { MasterActions } from './job-master-machine.ts';

const servicesOf = chartServicesOf<'ledger' | 'environment' | 'gateway' | 'observe' | 'resultKeeper'>;

/** The actions of the job master on results that were read, or that outlive the job. */
export const resultActions = {
  releaseConsumed: ({ system }, { region }) => {
    const { ledger, resultKeeper } = servicesOf(system);
    resultKeeper.noteConsumed(ledger.results.regionFinished(region));
  },
  releaseReproduced: ({ system }, { vertex }) => {
    const { ledger, resultKeeper } = servicesOf(system);
    resultKeeper.noteConsumed(ledger.results.consumedOf(vertex));
  },
  stopReleasing: ({ system }) => servicesOf(system).resultKeeper.stop(),
  keepResults: enqueueActions(({ self, system }) =>
    servicesOf(system).gateway.keepResults((outcome) => self.send(outcome)),
  ),
  reportUnkept: ({ system }, { cause }) => {
    const { observe, environment } = servicesOf(system);
    observe({ type: 'results.keepFailed', cause, atMs: environment.clock.now() });
  },
} satisfies Partial<MasterActions>;
