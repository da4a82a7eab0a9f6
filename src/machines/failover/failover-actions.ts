import { type ActorRef, enqueueActions, type Snapshot } from 'xstate';
import type { MasterToFailoverEvent } from '../../actors/chart-events.ts';
import type { FoundResult } from '../../actors/protocol/deployment.ts';
import type { FailoverId, PartitionId } from '../../ids.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { Environment } from '../../environment.ts';
import { chartServicesOf } from '../chart-services.ts';
import type { JobServices } from '../job-services.ts';
import type { FailoverActions } from './failover-machine.ts';
import { loseResult } from './result-losses.ts';
import type { BackoffAnswer } from '../strategies/regional-backoffs.ts';
import type { RestartBackoffEvent } from '../strategies/restart-backoff-machine.ts';

type Asking = ActorRef<Snapshot<unknown>, MasterToFailoverEvent>;

const servicesOf = chartServicesOf<'ledger' | 'gateway' | 'observe' | 'environment' | 'failovers'>;

/** Implements the actions that the failover chart names. */
export const failoverActions: FailoverActions = {
  recordFailure: ({ context: { failover }, system }, { failure, verdict }) =>
    servicesOf(system).failovers.records.record(failover, failure, verdict),
  verifyResults: enqueueActions(({ self, system }, { results }: { results: readonly PartitionId[] }) => {
    verify(servicesOf(system), results, (verified) => tell(self, { type: 'failover.resultsVerified', ...verified }));
  }),
  askStrategy: enqueueActions(({ context: { failover, failure }, self, enqueue, system }) => {
    const { strategy, topology } = servicesOf(system).failovers.advisors;
    const asked = strategy.expect(
      failover,
      (decision) => tell(self, { type: 'failover.strategyDecided', decision }),
      (reason) => tell(self, { type: 'failover.strategyFailed', cause: reason }),
    );
    if (asked !== undefined)
      enqueue.sendTo(asked, Object.freeze({ type: 'failover.requested', failover, failure, topology }));
  }),
  askBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue, system }) => {
    const { environment, failovers } = servicesOf(system);
    const { backoffs } = failovers.advisors;
    const asked = backoffs.of(failovers.advisors.scopeOf(failure)).expect(
      failover,
      (answer) => tell(self, { type: 'failover.backoffDecided', ...answer }),
      (reason) => tell(self, { type: 'failover.backoffFailed', cause: reason }),
    );
    if (asked !== undefined) enqueue.sendTo(asked, backoffQuestion(failover, failure, environment));
  }),
  askDefaultBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue, system }) => {
    const { environment, failovers } = servicesOf(system);
    const { defaultBackoffs } = failovers.advisors;
    const answered = (answer: BackoffAnswer): void => tell(self, { type: 'failover.defaultBackoffDecided', ...answer });
    const asked = defaultBackoffs.of(failovers.advisors.scopeOf(failure)).expect(
      failover,
      answered,
      // It draws a random number from the environment, which may throw; then the job does not restart.
      () => answered({ canRestart: false, delayMs: 0, newAttempt: true }),
    );
    if (asked !== undefined) enqueue.sendTo(asked, backoffQuestion(failover, failure, environment));
  }),
};

function backoffQuestion(
  failover: FailoverId,
  failure: TaskFailure,
  { clock }: Pick<Environment, 'clock'>,
): RestartBackoffEvent {
  return Object.freeze({ type: 'backoff.requested', failover, failure, nowMs: clock.now() });
}

/** Answers a failover, unless it has ended: it waits for an answer no longer than its deadline, or the job. */
function tell(failover: Asking, answer: MasterToFailoverEvent): void {
  if (failover.getSnapshot().status === 'active') failover.send(answer);
}

/** Verifies results. Marks missing ones as lost; answers with their number and the sizes of the others. */
function verify(
  services: Pick<JobServices, 'ledger' | 'gateway' | 'observe' | 'environment'>,
  results: readonly PartitionId[],
  done: (verified: { readonly lostCount: number; readonly found: readonly FoundResult[] }) => void,
): void {
  const { ledger, gateway } = services;
  const ids = results.map((partition) => ledger.presentResult(partition));
  gateway.verifyResults(ids, ({ lost, found }) => {
    for (const { id, cause } of lost) {
      if (ledger.attempts.isPresent(id) && ledger.isPartitionReadable(id.partition))
        loseResult(services, id.partition, cause);
    }
    done({ lostCount: lost.length, found });
  });
}
