import {
  type AnyActorLogic,
  type CallbackActorLogic,
  fromCallback,
  type NonReducibleUnknown,
  type EventObject,
} from 'xstate';
import { IllegalStateError } from '../errors/usage-errors.ts';

/**
 * Stands for an implementation that a composition root must provide. A missing one is a bug in the engine: the error
 * names it, and is thrown where it cannot be mistaken for a task failure.
 */
export function placeholder(machine: string, implementation: string): never {
  throw new IllegalStateError(`The ${machine} machine was started without an implementation of "${implementation}"`);
}

/** A placeholder for an actor that the composition root provides. */
export function placeholderActor<Input extends NonReducibleUnknown>(
  machine: string,
  actor: string,
): CallbackActorLogic<EventObject, Input> {
  return fromCallback<EventObject, Input>(() => placeholder(machine, actor));
}

/** Like {@link placeholderActor}, for an actor that is not a callback. */
export function placeholderLogic<Logic extends AnyActorLogic>(machine: string, actor: string): Logic {
  return placeholderActor(machine, actor) as AnyActorLogic as Logic;
}
