import type { ResultSource } from '../../actors/storage-actor.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import type { PeerResults } from './peer-reach.ts';
import type { WiringMessage } from './worker-line.ts';

/** The other workers of a run, from a worker's side. */
export class Peers implements PeerResults {
  connect(_: Extract<WiringMessage, { type: 'worker.peerConnected' }>): void {}

  lose(_: Extract<WiringMessage, { type: 'worker.peerLost' }>): void {}

  source(id: ResultPartitionId, owner: ExecutorId): ResultSource {
    throw new PartitionLostError(id, `executor ${owner} cannot be reached`);
  }
}
