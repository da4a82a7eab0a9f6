import type { AnyActorRef, AnyEventObject, InspectionEvent, Snapshot } from 'xstate';
import type { RunInside } from '../../run/run-inside.ts';

/** Whose actors are watched. */
export type WatchedRun = Pick<RunInside, 'run' | 'actors' | 'inspect' | 'events$'> & {
  readonly environment: Pick<RunInside['environment'], 'clock' | 'logger'>;
};

/** Follows the actors of a run. */
export interface ActorObserver {
  started(actor: AnyActorRef, snapshot: Snapshot<unknown>): void;
  /** Before the actor handles it. `source` is undefined if the event came from outside. */
  received(actor: AnyActorRef, event: AnyEventObject, source: AnyActorRef | undefined): void;
  changed(actor: AnyActorRef, snapshot: Snapshot<unknown>, event: AnyEventObject): void;
  stopped(actor: AnyActorRef): void;
}

/**
 * Follows each actor of a run until the returned function is called: those that there are, and new ones.
 *
 * - AW1 Nothing is said of an actor before its start, and nothing of that before the start of its parent.
 * - AW2 Its stop is said last, and once, although XState has no event for it: it is concluded from the last snapshot,
 *   and from the end of the run.
 */
export function watchActors(run: WatchedRun, observer: ActorObserver): () => void {
  const known = new Set<AnyActorRef>();
  const ending = new Set<AnyActorRef>();
  const gone = new WeakSet<AnyActorRef>();

  const isKnown = (actor: AnyActorRef): boolean => {
    if (known.has(actor)) return true;
    if (gone.has(actor)) return false;
    // It is still in its constructor.
    const snapshot = actor.getSnapshot() as Snapshot<unknown> | undefined;
    if (snapshot === undefined) return false;
    if (actor._parent !== undefined) isKnown(actor._parent as AnyActorRef);
    known.add(actor);
    observer.started(actor, snapshot);
    return true;
  };
  const stop = (actor: AnyActorRef): void => {
    if (!known.delete(actor)) return;
    gone.add(actor);
    observer.stopped(actor);
  };
  /** A child's last snapshot arrives after its parent has reacted to it. */
  const stopLater = (actor: AnyActorRef): void => {
    if (ending.size === 0) run.environment.clock.setImmediate(stopEnding);
    ending.add(actor);
  };
  const stopEnding = (): void => {
    for (const actor of ending) stop(actor);
    ending.clear();
  };
  const next = (inspected: InspectionEvent): void => {
    const actor = inspected.actorRef as AnyActorRef;
    if (inspected.type === '@xstate.event') {
      if (isKnown(actor)) observer.received(actor, inspected.event, inspected.sourceRef as AnyActorRef | undefined);
    } else if (inspected.type === '@xstate.snapshot') {
      if (!isKnown(actor)) return;
      observer.changed(actor, inspected.snapshot, inspected.event);
      if (inspected.snapshot.status !== 'active') stopLater(actor);
    }
  };

  const ignore = run.inspect(next);
  for (const actor of run.actors()) if (statusOf(actor) === 'active') isKnown(actor);
  const ends = run.events$.subscribe({
    complete: () => {
      ignore();
      for (const actor of known) stop(actor);
    },
  });
  return () => {
    ignore();
    ends.unsubscribe();
    known.clear();
  };
}

function statusOf(actor: AnyActorRef): string | undefined {
  return (actor.getSnapshot() as Snapshot<unknown> | undefined)?.status;
}
