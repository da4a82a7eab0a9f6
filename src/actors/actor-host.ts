import {
  type Actor,
  type ActorOptions,
  type AnyActorLogic,
  type AnyActorRef,
  createActor,
  type EventObject,
  fromTransition,
  type InputFrom,
  type InspectionEvent,
} from 'xstate';
import type { Clock } from '../environment.ts';

/** Messages to a host. It ignores other events that its children send to their parent. */
interface HostEvent extends EventObject {
  /** With `host.stop`: the actor to stop. */
  readonly child?: AnyActorRef;
  /** With `xstate.error.actor.…`: the error of a child. */
  readonly error?: unknown;
}

/** Settings shared by the actors of a run. */
export interface ActorSystemOptions {
  readonly clock: Clock;
  /** Receives XState's inspection events of every actor. Must not throw. */
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
  /** Called when an actor throws. Default: the error is uncaught. */
  readonly failed?: (cause: unknown) => void;
}

/**
 * Hosts the actors of one side of a run: the master, or an executor. It is an actor itself and the parent of the actors
 * it creates, so all actors of a process form one system, which an inspector sees as one tree. Ids are paths, such as
 * `<run>/local-0/task/map[2]#3`, so that the trees of several processes can be joined.
 *
 * Its children are not in its snapshot, because XState copies that record for each child. Stop a child that has ended,
 * unless its logic is done by itself; the system holds it until then.
 */
export class ActorHost {
  readonly id: string;
  readonly #actor: Actor<AnyActorLogic>;
  readonly #failed: (cause: unknown) => void;

  private constructor(id: string, failed: (cause: unknown) => void, options: ActorOptions<AnyActorLogic>) {
    this.id = id;
    this.#failed = failed;
    const logic = fromTransition((state: undefined, { type, child, error }: HostEvent, { stopChild }) => {
      if (type === 'host.stop' && child !== undefined) stopChild(child);
      else if (type.startsWith('xstate.error.')) failed(error);
      return state;
    }, undefined);
    this.#actor = createActor<AnyActorLogic>(logic, { ...options, id }).start();
  }

  /** The root of a system, named after its run. */
  static root(id: string, { clock, inspect, failed = raise }: ActorSystemOptions): ActorHost {
    return new ActorHost(id, failed, { clock, ...(inspect === undefined ? {} : { inspect }) });
  }

  /** A host inside this one. `failed` is called for its actors; default: that of this host. */
  within(name: string, failed = this.#failed): ActorHost {
    return new ActorHost(this.idOf(name), failed, { parent: this.#actor });
  }

  /** The id of the actor `name` of this host. */
  idOf(name: string): string {
    // `join` makes a flat string; a template literal would retain each of its parts.
    return [this.id, name].join('/');
  }

  /** Creates an actor without starting it. */
  create<Logic extends AnyActorLogic>(logic: Logic, name: string, input: InputFrom<Logic>): Actor<Logic> {
    return createActor<AnyActorLogic>(logic, { parent: this.#actor, id: this.idOf(name), input }) as Actor<Logic>;
  }

  /** Its own actor, the parent of those that it creates. */
  get ref(): AnyActorRef {
    return this.#actor;
  }

  /** Observes the whole system until the returned function is called. `observer` must not throw. */
  inspect(observer: (event: InspectionEvent) => void): () => void {
    const subscription = this.#actor.system.inspect(observer);
    return () => subscription.unsubscribe();
  }

  /** Stops an actor of this host. No effect if it has ended. */
  stop(child: AnyActorRef): void {
    this.#actor.send({ type: 'host.stop', child });
  }

  /** Ends the system. For its root. */
  end(): void {
    this.#actor.stop();
  }
}

function raise(cause: unknown): never {
  throw cause;
}
