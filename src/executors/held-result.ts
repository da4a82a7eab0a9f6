import type { ActorHost } from '../actors/actor-host.ts';
import type { ResultSource } from '../actors/storage-actor.ts';
import type { PartitionRegistration } from '../actors/protocol/deployment.ts';
import type { AttemptNumber, ExecutionVertexId } from '../ids.ts';
import type { PartitionActorRef, PartitionEvent } from '../machines/partition/partition-machine.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';

/** A result as the store of its executor finds it: by its partition, from its registration on. */
export interface HeldResult {
  readonly producer: ExecutionVertexId;
  readonly edge: number;
  readonly sinceMs: number;
  /** What its latest attempt writes. */
  readonly output: ResultPartition;
  /** Whether there is something to read, or will be. */
  readonly isHeld: boolean;
  /** What a consumer reads that was told of the result of an attempt; undefined when that is gone. */
  sourceOf(attempt: AttemptNumber): ResultSource | undefined;
  /** Looks whether it can still be read: calls `done` with what is wrong with it. */
  verify(done: (error?: Error) => void): void;
  tell(event: PartitionEvent): void;
  /** It is needed no more, and will not be reproduced: it is released, unless it was promoted, and its actor is stopped. */
  drop(): void;
}

type Registered = Pick<PartitionRegistration, 'producer' | 'edge'> & { readonly sinceMs: number };

/** A result with a life of its own, which its partition chart owns. */
export class OwnedResult implements HeldResult {
  readonly producer: ExecutionVertexId;
  readonly edge: number;
  readonly sinceMs: number;
  readonly #actor: PartitionActorRef;
  /** Where its actor was made. */
  readonly #home: ActorHost;

  constructor({ producer, edge, sinceMs }: Registered, actor: PartitionActorRef, home: ActorHost) {
    this.producer = producer;
    this.edge = edge;
    this.sinceMs = sinceMs;
    this.#actor = actor;
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

  /** Whether it is complete, and belongs to the job. */
  get isFinished(): boolean {
    return this.#snapshot.hasTag('finished');
  }

  get isReclaimable(): boolean {
    return this.isHeld && this.#snapshot.context.reclaim !== 'never';
  }

  /** What is left of it once it is released. */
  get trace() {
    return this.#snapshot.context.trace;
  }

  get producedMs(): number {
    return this.#snapshot.context.producedMs;
  }

  /** What an attempt has written, those after it write again: whoever was told of one of them reads the same. */
  sourceOf(attempt: AttemptNumber): ResultSource | undefined {
    const { context, children } = this.#snapshot;
    if (attempt < context.firstAttempt || attempt > context.id.attempt) return undefined;
    return children.storage?.getSnapshot().storage;
  }

  verify(done: (error?: Error) => void): void {
    this.output.verify(done);
  }

  tell(event: PartitionEvent): void {
    this.#actor.send(event);
  }

  drop(): void {
    this.tell({ type: 'partition.release', traced: false });
    // One that was promoted keeps its storage, which the end of its actor would free.
    if (!this.#snapshot.hasTag('promoted')) this.#home.stop(this.#actor);
  }

  get #snapshot() {
    return this.#actor.getSnapshot();
  }
}

/**
 * A result that is read while it is written, and gone with its attempt: it has no life of its own, and no chart. Millions of
 * them would cost more than what they pass on.
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
