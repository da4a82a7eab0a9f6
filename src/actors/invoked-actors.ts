import type { AnyActorRef } from 'xstate';
import { propertyOf } from '../foreign-value.ts';

/** Actors, each followed by those that it invoked. */
export function* withInvoked(actors: Iterable<AnyActorRef>): Generator<AnyActorRef> {
  for (const actor of actors) {
    yield actor;
    const children = propertyOf(actor.getSnapshot(), 'children') as Readonly<Record<string, AnyActorRef>> | undefined;
    if (children !== undefined) yield* withInvoked(Object.values(children));
  }
}
