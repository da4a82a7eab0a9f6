import type { ExecutorGateway, PlacedRegistration, VerifiedResults } from '../../actors/executor-gateway.ts';
import type { FoundResult, PartitionRegistration } from '../../actors/protocol/deployment.ts';
import type { ExecutorToMasterMessage, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { Reply } from './open-questions.ts';

/** Asks an executor a question, which is answered once: by it, or by its loss. */
export type Ask = (
  executor: ExecutorId,
  question: (token: number) => MasterToExecutorMessage,
  reply: Reply<ExecutorToMasterMessage>,
) => void;

type Registered = Parameters<ExecutorGateway['registerPartitions']>[1];

/** Has results prepared at one or more executors. Calls `done` once all have answered, with the first failure. */
export function registerResults(
  byExecutor: ReadonlyMap<ExecutorId, readonly PlacedRegistration[]>,
  ask: Ask,
  done: Registered,
): void {
  let open = byExecutor.size;
  let failed: Parameters<Registered>[0];
  const answered = (failure: typeof failed): void => {
    failed ??= failure;
    if (--open === 0) done(failed);
  };
  for (const [executor, placed] of byExecutor) {
    const registrations = placed.map(({ registration }) => registration);
    ask(executor, (token) => ({ type: 'results.register', token, registrations }), {
      answered: (answer) => {
        if (answer.type !== 'results.registered') return;
        answered(answer.failed && { ...answer.failed, cause: fromPlainError(answer.failed.cause) });
      },
      gone: (cause) => answered({ producer: (registrations[0] as PartitionRegistration).producer, cause }),
    });
  }
}

/** Has results verified by the executors that have them, one or more. Calls `done` once all have answered. */
export function verifyResults(
  byExecutor: ReadonlyMap<ExecutorId, readonly ResultPartitionId[]>,
  ask: Ask,
  done: (verified: VerifiedResults) => void,
): void {
  const lost: VerifiedResults['lost'][number][] = [];
  const found: FoundResult[] = [];
  let open = byExecutor.size;
  const answered = (verified: VerifiedResults): void => {
    lost.push(...verified.lost);
    found.push(...verified.found);
    if (--open === 0) done({ lost, found });
  };
  for (const [executor, results] of byExecutor) {
    ask(executor, (token) => ({ type: 'results.verify', token, ids: results }), {
      answered: (answer) => {
        if (answer.type !== 'results.verified') return;
        answered({ ...answer, lost: answer.lost.map(({ id, cause }) => ({ id, cause: fromPlainError(cause) })) });
      },
      gone: (cause) =>
        answered({
          lost: results.map((id) => ({ id, cause: new PartitionLostError(id, cause.message, { cause }) })),
          found: [],
        }),
    });
  }
}
