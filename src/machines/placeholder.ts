import {
  type AnyActorLogic,
  type CallbackActorLogic,
  fromCallback,
  type NonReducibleUnknown,
  type EventObject,
} from 'xstate';
import { IllegalStateError } from '../errors/usage-errors.ts';

/**
 * Stands for what a composition root provides. A root that forgot one is a bug of the engine: the error says which, and
 * is thrown where it cannot be taken for the failure of a task.
 */
export function placeholder(machine: string, implementation: string): never {
  throw new IllegalStateError(`The ${machine} machine was started without an implementation of "${implementation}"`);
}

/** A placeholder for an actor that a machine names and the root provides. */
export function placeholderActor<Input extends NonReducibleUnknown>(
  machine: string,
  actor: string,
): CallbackActorLogic<EventObject, Input> {
  return fromCallback<EventObject, Input>(() => placeholder(machine, actor));
}

/** As {@link placeholderActor}, for an actor that is no callback. */
export function placeholderLogic<Logic extends AnyActorLogic>(machine: string, actor: string): Logic {
  return placeholderActor(machine, actor) as AnyActorLogic as Logic;
}
