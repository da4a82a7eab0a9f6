import type { ResultSource } from '../../actors/storage-actor.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import type { ReadingPort, ServingPort } from '../../partitions/remote/exchange-messages.ts';
import { RemoteResults } from '../../partitions/remote/remote-results.ts';
import { ResultServer } from '../../partitions/remote/result-server.ts';
import type { ResultDirectory } from '../result-directory.ts';
import type { PeerResults } from './peer-reach.ts';

/** The other workers of a run, from a worker's side: it reads their results, and serves them its own. */
export class Peers implements PeerResults {
  readonly #remote: RemoteResults;
  readonly #server: ResultServer;

  /** @param freeze whether records are frozen as they arrive */
  constructor(own: ResultDirectory, freeze: boolean) {
    this.#remote = new RemoteResults({ freeze });
    this.#server = new ResultServer(own);
  }

  /** Its results are read by one port, and it is served by the second. */
  connect(executor: ExecutorId, reads: ReadingPort, serves: ServingPort): void {
    this.#remote.connect(executor, reads);
    this.#server.serve(executor, serves);
  }

  lose(executor: ExecutorId, why: string): void {
    this.#remote.lost(executor, why);
    this.#server.lost(executor);
  }

  source(id: ResultPartitionId, owner: ExecutorId): ResultSource {
    return this.#remote.source(id, owner);
  }

  close(): void {
    this.#remote.close();
    this.#server.close();
  }
}
