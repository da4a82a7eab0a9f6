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

/** What a host is told. What else its children send to their parent it ignores. */
interface HostEvent extends EventObject {
  /** With `host.stop`: which of its actors. */
  readonly child?: AnyActorRef;
  /** With `xstate.error.actor.…`: what one of them threw. */
  readonly error?: unknown;
}

/** What the actors of a run have in common. */
export interface ActorSystemOptions {
  readonly clock: Clock;
  /** Receives XState's inspection events of every actor. Must not throw. */
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
  /** Hears of an actor that threw; default: the process does. */
  readonly failed?: (cause: unknown) => void;
}

/**
 * A place of a run that has actors: the master's side, an executor. It is an actor itself, and those it makes are its
 * children: all actors of a process form one system, which an inspector sees as one tree. Ids are paths, as
 * `<run>/local-0/task/map[2]#3`, so that the trees of several processes can be joined.
 *
 * Its children are not in its snapshot: XState copies that record for each child. A child that has ended is to be
 * stopped, unless its logic is done by itself: the system holds it until then.
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

  /** The root of a system, which is named after its run. */
  static root(id: string, { clock, inspect, failed = raise }: ActorSystemOptions): ActorHost {
    return new ActorHost(id, failed, { clock, ...(inspect === undefined ? {} : { inspect }) });
  }

  /** A host within this one. `failed` hears of its actors; default: as this one's. */
  within(name: string, failed = this.#failed): ActorHost {
    return new ActorHost(this.idOf(name), failed, { parent: this.#actor });
  }

  /** The id of what is called `name` here. */
  idOf(name: string): string {
    // Joined, it is one flat string; a template would hold on to each of its parts.
    return [this.id, name].join('/');
  }

  /** Makes an actor, which is yet to be started. */
  create<Logic extends AnyActorLogic>(logic: Logic, name: string, input: InputFrom<Logic>): Actor<Logic> {
    return createActor<AnyActorLogic>(logic, { parent: this.#actor, id: this.idOf(name), input }) as Actor<Logic>;
  }

  /** Stops an actor that it has made. Does nothing where that has ended. */
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
