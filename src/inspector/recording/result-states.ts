import { isTerminalExecutionState } from '../../actors/protocol/states.ts';
import type { ExecutionVertexId, PartitionId } from '../../ids.ts';
import type { RunPicture } from './run-picture.ts';

/**
 * The state of a result, as far as events tell: `expected` before its producer runs, `incomplete` if the producer
 * stopped, `released` once every consumer has read it to the end.
 */
export type ResultState = 'expected' | 'producing' | 'incomplete' | 'finished' | 'lost' | 'released';

/** The states of the results of a run at one instant: make a new one when the picture has changed. */
export class ResultStates {
  readonly #picture: RunPicture;
  readonly #unreadByGroup = new Map<number, number>();

  constructor(picture: RunPicture) {
    this.#picture = picture;
  }

  /** The state of a partition's result. O(1), after O(consumers) for the first of its group. */
  of(partition: PartitionId): ResultState {
    const { lost, attempts, shape } = this.#picture;
    if (lost.has(partition)) return 'lost';
    const producer = shape.graph.producerOf(partition);
    const row = attempts.latestOf(producer);
    if (row < 0) return 'expected';
    const state = attempts.stateOf(row);
    if (state === 'failed' || state === 'canceled' || state === 'canceling') return 'incomplete';
    if (!isTerminalExecutionState(state)) {
      return state === 'running' || state === 'initializing' ? 'producing' : 'expected';
    }
    return this.unread(partition) === 0 ? 'released' : 'finished';
  }

  /** How many consumers have yet to read a partition to the end: those in unfinished regions. */
  unread(partition: PartitionId): number {
    const group = this.#picture.shape.graph.groupOfPartition(partition);
    let unread = this.#unreadByGroup.get(group);
    if (unread === undefined) this.#unreadByGroup.set(group, (unread = this.unreadConsumers(group).length));
    return unread;
  }

  /** The consumers of a group that have not read it to the end. */
  unreadConsumers(group: number): ExecutionVertexId[] {
    const { graph, regions } = this.#picture.shape;
    const consumers: ExecutionVertexId[] = [];
    for (let at = graph.consumerStart(group); at < graph.consumerEnd(group); at++) {
      const consumer = at as ExecutionVertexId;
      if (this.#picture.regionState(regions.regionOf(consumer)) !== 'finished') consumers.push(consumer);
    }
    return consumers;
  }
}
