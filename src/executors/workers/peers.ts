import type { ResultSource } from '../../actors/storage-actor.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import { messageDataPort } from '../../partitions/remote/message-data-port.ts';
import { RemoteResults } from '../../partitions/remote/remote-results.ts';
import { ResultServer } from '../../partitions/remote/result-server.ts';
import type { ResultDirectory } from '../result-directory.ts';
import type { PeerResults } from './peer-reach.ts';
import type { WiringMessage } from './worker-line.ts';

/** The other workers of a run, from a worker's side: it reads their results, and serves them its own. */
export class Peers implements PeerResults {
  readonly #remote: RemoteResults;
  readonly #server: ResultServer;

  /** @param freeze whether records are frozen as they arrive */
  constructor(own: ResultDirectory, freeze: boolean) {
    this.#remote = new RemoteResults({ freeze });
    this.#server = new ResultServer(own);
  }

  connect({ executor, reads, serves }: Extract<WiringMessage, { type: 'worker.peerConnected' }>): void {
    this.#remote.connect(executor, messageDataPort(reads));
    this.#server.serve(executor, messageDataPort(serves));
  }

  lose({ executor, why }: Extract<WiringMessage, { type: 'worker.peerLost' }>): void {
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
