import type { AnyActorRef, AnyEventObject, InspectionEvent, Snapshot } from 'xstate';
import type { RunInside } from '../../run/run-inside.ts';

/** Whose actors are watched. */
export type WatchedRun = WatchedActors &
  Pick<RunInside, 'run' | 'observerFailed'> & {
    readonly environment: Pick<RunInside['environment'], 'clock' | 'logger'>;
  };

/** The actors of a run, as {@link watchActors} needs them. */
export type WatchedActors = Pick<RunInside, 'actors' | 'inspect' | 'events$'> & {
  readonly environment: { readonly clock: Pick<RunInside['environment']['clock'], 'setImmediate'> };
};

/** Transitions that an actor took in one step; none if it ignored the event. */
export type TakenTransitions = Extract<InspectionEvent, { type: '@xstate.microstep' }>['_transitions'];

/** Follows actors, event by event. */
export interface ActorObserver {
  started(actor: AnyActorRef, snapshot: Snapshot<unknown>): void;
  /** Before the actor handles it. `source` is undefined if the event came from outside. */
  received(actor: AnyActorRef, event: AnyEventObject, source: AnyActorRef | undefined): void;
  /** A step in which it handles the event: called between `received` and `changed`, as `acted` is. */
  stepped?(actor: AnyActorRef, taken: TakenTransitions): void;
  acted?(actor: AnyActorRef, action: { readonly type: string }): void;
  changed(actor: AnyActorRef, snapshot: Snapshot<unknown>, event: AnyEventObject): void;
  stopped(actor: AnyActorRef): void;
}

/**
 * Follows actors of a run by XState's inspection events until the returned function is called: those that there are, and
 * new ones. The only reader of these events, which every event of every actor then costs, whichever actors are wanted.
 *
 * - AW1 Nothing is said of an actor before its start, and nothing of that before the start of its parent.
 * - AW2 Its stop is said last, and once, although XState has no event for it: it is concluded from the last snapshot,
 *   and from the end of the run.
 *
 * @param isWanted which actors to follow, if not all
 */
export function watchActors(
  run: WatchedActors,
  observer: ActorObserver,
  isWanted: (actor: AnyActorRef) => boolean = () => true,
): () => void {
  const watch = new ActorWatch(run, observer, isWanted);
  const ignore = run.inspect((inspected) => watch.next(inspected));
  for (const actor of run.actors()) if (snapshotOf(actor)?.status === 'active') watch.isKnown(actor);
  const ends = run.events$.subscribe({
    complete: () => {
      ignore();
      watch.end();
    },
  });
  return () => {
    ignore();
    ends.unsubscribe();
    watch.forget();
  };
}

class ActorWatch {
  readonly #run: WatchedActors;
  readonly #observer: ActorObserver;
  readonly #isWanted: (actor: AnyActorRef) => boolean;
  readonly #known = new Set<AnyActorRef>();
  readonly #ending = new Set<AnyActorRef>();
  readonly #gone = new WeakSet<AnyActorRef>();

  constructor(run: WatchedActors, observer: ActorObserver, isWanted: (actor: AnyActorRef) => boolean) {
    this.#run = run;
    this.#observer = observer;
    this.#isWanted = isWanted;
  }

  next(inspected: InspectionEvent): void {
    const observer = this.#observer;
    const actor = inspected.actorRef as AnyActorRef;
    switch (inspected.type) {
      case '@xstate.event': {
        const source = inspected.sourceRef as AnyActorRef | undefined;
        if (this.isKnown(actor)) observer.received(actor, inspected.event, source);
        return;
      }
      case '@xstate.microstep':
        if (this.#known.has(actor)) observer.stepped?.(actor, inspected._transitions);
        return;
      case '@xstate.action':
        if (this.#known.has(actor)) observer.acted?.(actor, inspected.action);
        return;
      case '@xstate.snapshot':
        if (!this.isKnown(actor)) return;
        observer.changed(actor, inspected.snapshot, inspected.event);
        if (inspected.snapshot.status !== 'active') this.#stopLater(actor);
        return;
      default:
    }
  }

  /** Whether the actor is followed, which begins when it is seen first. AW1 */
  isKnown(actor: AnyActorRef): boolean {
    if (this.#known.has(actor)) return true;
    if (this.#gone.has(actor) || !this.#isWanted(actor)) return false;
    const snapshot = snapshotOf(actor);
    if (snapshot === undefined) return false;
    const parent = actor._parent as AnyActorRef | undefined;
    const isAfter = parent === undefined || this.#gone.has(parent) || !this.#isWanted(parent);
    if (!isAfter && !this.isKnown(parent)) return false;
    this.#known.add(actor);
    this.#observer.started(actor, snapshot);
    return true;
  }

  end(): void {
    for (const actor of this.#known) this.#stop(actor);
  }

  forget(): void {
    this.#known.clear();
  }

  #stop(actor: AnyActorRef): void {
    if (!this.#known.delete(actor)) return;
    this.#gone.add(actor);
    this.#observer.stopped(actor);
  }

  /** AW2: a child's last snapshot arrives after its parent has reacted to it. */
  #stopLater(actor: AnyActorRef): void {
    if (this.#ending.size === 0) {
      this.#run.environment.clock.setImmediate(() => {
        for (const each of this.#ending) this.#stop(each);
        this.#ending.clear();
      });
    }
    this.#ending.add(actor);
  }
}

/** undefined while it is still in its constructor, in which some actors create others. */
function snapshotOf(actor: AnyActorRef): Snapshot<unknown> | undefined {
  try {
    return actor.getSnapshot() as Snapshot<unknown> | undefined;
  } catch {
    return undefined;
  }
}
