import type { ActorHost } from '../actors/actor-host.ts';
import type { ResultSource } from '../actors/storage-actor.ts';
import type { PartitionRegistration } from '../actors/protocol/deployment.ts';
import type { AttemptNumber, ExecutionVertexId } from '../ids.ts';
import type { PartitionActorRef, PartitionEvent } from '../machines/partition/partition-machine.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';

/** A result in the store of its executor, from its registration on. */
export interface HeldResult {
  readonly producer: ExecutionVertexId;
  readonly edge: number;
  readonly sinceMs: number;
  /** The partition that its latest attempt writes. */
  readonly output: ResultPartition;
  /** Whether the result is readable, now or later. */
  readonly isHeld: boolean;
  /** The readable result of an attempt, for a consumer; undefined if it is gone. */
  sourceOf(attempt: AttemptNumber): ResultSource | undefined;
  /** Verifies that it is still readable: calls `done` with the fault, if any. */
  verify(done: (error?: Error) => void): void;
  tell(event: PartitionEvent): void;
  /**
   * Ends a result that is not needed and will not be reproduced: releases it, unless it was promoted, and stops its
   * actor.
   */
  drop(): void;
}

type Registered = Pick<PartitionRegistration, 'producer' | 'edge'> & { readonly sinceMs: number };

/** A result with its own life cycle, owned by its partition chart. */
export class OwnedResult implements HeldResult {
  readonly producer: ExecutionVertexId;
  readonly edge: number;
  readonly sinceMs: number;
  readonly actor: PartitionActorRef;
  /** The host of its actor. */
  readonly #home: ActorHost;

  constructor({ producer, edge, sinceMs }: Registered, actor: PartitionActorRef, home: ActorHost) {
    this.producer = producer;
    this.edge = edge;
    this.sinceMs = sinceMs;
    this.actor = actor;
    this.#home = home;
  }

  get output(): ResultPartition {
    return this.#snapshot.context.output;
  }

  get isHeld(): boolean {
    return this.#snapshot.hasTag('held');
  }

  get isLost(): boolean {
    return this.#snapshot.hasTag('lost');
  }

  /** Whether it is complete and not promoted. */
  get isFinished(): boolean {
    return this.#snapshot.hasTag('finished');
  }

  get isReclaimable(): boolean {
    return this.isHeld && this.#snapshot.context.reclaim !== 'never';
  }

  /** The trace that remains after its release. */
  get trace() {
    return this.#snapshot.context.trace;
  }

  get producedMs(): number {
    return this.#snapshot.context.producedMs;
  }

  /**
   * Later attempts reproduce the output of earlier ones, so a consumer of any of these attempts reads the same records.
   */
  sourceOf(attempt: AttemptNumber): ResultSource | undefined {
    const { context, children } = this.#snapshot;
    if (attempt < context.firstAttempt || attempt > context.id.attempt) return undefined;
    return children.storage?.getSnapshot().storage;
  }

  verify(done: (error?: Error) => void): void {
    this.output.verify(done);
  }

  /** No effect on a chart that a bug of the engine has ended. */
  tell(event: PartitionEvent): void {
    if (this.#snapshot.status === 'active') this.actor.send(event);
  }

  drop(): void {
    this.tell({ type: 'partition.release', traced: false });
    // A promoted result retains its storage, which the end of its actor would free.
    if (!this.#snapshot.hasTag('promoted')) this.#home.stop(this.actor);
  }

  get #snapshot() {
    return this.actor.getSnapshot();
  }
}

/**
 * A pipelined result, which is read while it is written and ends with its attempt. It has no chart: for millions of
 * them, charts would cost more than the records.
 */
export class PassingResult implements HeldResult {
  readonly producer: ExecutionVertexId;
  readonly edge: number;
  readonly sinceMs: number;
  readonly output: ResultPartition;
  #isHeld = true;

  constructor({ producer, edge, sinceMs }: Registered, output: ResultPartition) {
    this.producer = producer;
    this.edge = edge;
    this.sinceMs = sinceMs;
    this.output = output;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  sourceOf(attempt: AttemptNumber): ResultSource | undefined {
    return this.#isHeld && attempt === this.output.id.attempt ? this.output : undefined;
  }

  verify(done: (error?: Error) => void): void {
    this.output.verify(done);
  }

  tell({ type }: PartitionEvent): void {
    if (type !== 'partition.release' || !this.#isHeld) return;
    this.drop();
  }

  drop(): void {
    this.#isHeld = false;
    this.output.release();
  }
}
