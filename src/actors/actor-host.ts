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

/** Follows the actors that the hosts of one system create. Must not throw. */
export interface ActorWatcher {
  created(actor: AnyActorRef): void;
  /** It is about to handle an event, after which its state may be another. `xstate.stop` ends it. */
  handles(actor: AnyActorRef, event: EventObject): void;
}

/** The watchers of one system, and the logics whose actors they can follow. */
class Watchers {
  /** Replaced when it changes, so that a loop over it gets those of its beginning. */
  list: readonly ActorWatcher[] = [];
  readonly #watched = new WeakMap<AnyActorLogic, AnyActorLogic>();

  /** The same logic, whose actors say what they handle. */
  of(logic: AnyActorLogic): AnyActorLogic {
    let watched = this.#watched.get(logic);
    if (watched === undefined) this.#watched.set(logic, (watched = this.#following(logic)));
    return watched;
  }

  #following(logic: AnyActorLogic): AnyActorLogic {
    const transition: AnyActorLogic['transition'] = (snapshot, event: EventObject, scope) => {
      for (const watcher of this.list) watcher.handles(scope.self, event);
      return logic.transition(snapshot, event, scope) as unknown;
    };
    return Object.assign(Object.create(logic) as AnyActorLogic, { transition });
  }
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
  readonly #watchers: Watchers;

  private constructor(
    id: string,
    failed: (cause: unknown) => void,
    watchers: Watchers,
    options: ActorOptions<AnyActorLogic>,
  ) {
    this.id = id;
    this.#failed = failed;
    this.#watchers = watchers;
    const logic = fromTransition((state: undefined, { type, child, error }: HostEvent, { stopChild }) => {
      if (type === 'host.stop' && child !== undefined) stopChild(child);
      else if (type.startsWith('xstate.error.')) failed(error);
      return state;
    }, undefined);
    this.#actor = createActor<AnyActorLogic>(logic, { ...options, id }).start();
  }

  /** The root of a system, named after its run. */
  static root(id: string, { clock, inspect, failed = raise }: ActorSystemOptions): ActorHost {
    return new ActorHost(id, failed, new Watchers(), { clock, ...(inspect === undefined ? {} : { inspect }) });
  }

  /** A host inside this one. `failed` is called for its actors; default: that of this host. */
  within(name: string, failed = this.#failed): ActorHost {
    return new ActorHost(this.idOf(name), failed, this.#watchers, { parent: this.#actor });
  }

  /** The id of the actor `name` of this host. */
  idOf(name: string): string {
    // `join` makes a flat string; a template literal would retain each of its parts.
    return [this.id, name].join('/');
  }

  /** Creates an actor without starting it. Its parent is the host if none is given. */
  create<Logic extends AnyActorLogic>(
    logic: Logic,
    name: string,
    input: InputFrom<Logic>,
    parent: AnyActorRef = this.#actor,
  ): Actor<Logic> {
    const actor = createActor(this.#watchers.of(logic), { parent, id: this.idOf(name), input });
    for (const watcher of this.#watchers.list) watcher.created(actor);
    return actor as Actor<Logic>;
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

  /**
   * Follows the actors that the hosts of this system create, until the returned function is called. Costs far less than
   * to inspect the system, but leaves out actors that are created otherwise: regions, executions, and what they invoke.
   */
  watch(watcher: ActorWatcher): () => void {
    this.#watchers.list = [...this.#watchers.list, watcher];
    return () => {
      this.#watchers.list = this.#watchers.list.filter((each) => each !== watcher);
    };
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
