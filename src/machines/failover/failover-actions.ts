import { type ActorRef, enqueueActions, type Snapshot } from 'xstate';
import type { MasterToFailoverEvent } from '../../actors/chart-events.ts';
import type { FoundResult } from '../../actors/protocol/deployment.ts';
import type { FailoverId, PartitionId } from '../../ids.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import type { Advisors } from './advisors.ts';
import { failoverMachine } from './failover-machine.ts';
import type { FailureRecords } from './failure-records.ts';
import type { JobServices } from '../job-services.ts';
import { loseResult } from './result-losses.ts';
import type { BackoffAnswer } from '../strategies/regional-backoffs.ts';
import type { RestartBackoffEvent } from '../strategies/restart-backoff-machine.ts';

type Asking = ActorRef<Snapshot<unknown>, MasterToFailoverEvent>;

/** Implements the actions that the failover chart names. */
export function provideFailover(
  services: Pick<JobServices, 'ledger' | 'gateway' | 'observe' | 'environment' | 'delay'>,
  advisors: Advisors,
  records: FailureRecords,
): typeof failoverMachine {
  const { environment, delay } = services;
  const backoffQuestion = (failover: FailoverId, failure: TaskFailure): RestartBackoffEvent =>
    Object.freeze({ type: 'backoff.requested', failover, failure, nowMs: environment.clock.now() });

  return failoverMachine.provide({
    actors: { delay },
    actions: {
      recordFailure: ({ context: { failover } }, { failure, verdict }) => records.record(failover, failure, verdict),
      verifyResults: enqueueActions(({ self }, { results }: { results: readonly PartitionId[] }) => {
        verify(services, results, (verified) => tell(self, { type: 'failover.resultsVerified', ...verified }));
      }),
      askStrategy: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
        const { strategy, topology } = advisors;
        const asked = strategy.expect(
          failover,
          (decision) => tell(self, { type: 'failover.strategyDecided', decision }),
          (reason) => tell(self, { type: 'failover.strategyFailed', cause: reason }),
        );
        if (asked !== undefined)
          enqueue.sendTo(asked, Object.freeze({ type: 'failover.requested', failover, failure, topology }));
      }),
      askBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
        const asked = advisors.backoffs.of(advisors.scopeOf(failure)).expect(
          failover,
          (answer) => tell(self, { type: 'failover.backoffDecided', ...answer }),
          (reason) => tell(self, { type: 'failover.backoffFailed', cause: reason }),
        );
        if (asked !== undefined) enqueue.sendTo(asked, backoffQuestion(failover, failure));
      }),
      askDefaultBackoff: enqueueActions(({ context: { failover, failure }, self, enqueue }) => {
        const answered = (answer: BackoffAnswer): void =>
          tell(self, { type: 'failover.defaultBackoffDecided', ...answer });
        const asked = advisors.defaultBackoffs.of(advisors.scopeOf(failure)).expect(
          failover,
          answered,
          // It draws a random number from the environment, which may throw; then the job does not restart.
          () => answered({ canRestart: false, delayMs: 0, newAttempt: true }),
        );
        if (asked !== undefined) enqueue.sendTo(asked, backoffQuestion(failover, failure));
      }),
    },
  });
}

/** Answers a failover, unless it has ended: it waits for an answer no longer than its deadline, or the job. */
function tell(failover: Asking, answer: MasterToFailoverEvent): void {
  if (failover.getSnapshot().status === 'active') failover.send(answer);
}

/** Verifies results. Marks missing ones as lost; answers with their number and the sizes of the others. */
function verify(
  services: Pick<JobServices, 'ledger' | 'gateway' | 'observe' | 'environment' | 'delay'>,
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
