import { type AnyActorRef, type EventObject, sendTo } from 'xstate';
import type { ActionArgs, BuiltinAction, Scope } from './chart-shapes.ts';

type Target = string | AnyActorRef | undefined;

/** What `sendTo` makes. */
export interface SendAction extends BuiltinAction {
  readonly to: Target | ((args: ActionArgs, params: unknown) => Target);
  readonly event: EventObject | string | ((args: ActionArgs, params: unknown) => EventObject);
  readonly id: unknown;
  readonly delay: unknown;
}

const made = sendTo('', { type: '' }) as unknown as Required<BuiltinAction> & (() => void);
const { type, resolve, retryResolve, execute } = made;

/** The function by which a `sendTo` is recognised. */
export const sends = resolve;

/** What `sendTo` makes, as far as anybody sees it: XState makes a function with properties, which costs more. */
export class EnqueuedSend implements SendAction {
  declare readonly type: string;
  declare readonly resolve: BuiltinAction['resolve'];
  readonly to: SendAction['to'];
  readonly event: SendAction['event'];
  readonly id: unknown;
  readonly delay: unknown;

  constructor(
    to: SendAction['to'],
    event: SendAction['event'],
    options: { readonly id?: unknown; readonly delay?: unknown } | undefined,
  ) {
    this.to = to;
    this.event = event;
    this.id = options?.id;
    this.delay = options?.delay;
  }
}

Object.assign(EnqueuedSend.prototype, { type, resolve, retryResolve, execute });

/** XState's development build warns of a `sendTo` in a custom action, and its actions throw if they are called. */
export const isDevelopment = ((): boolean => {
  try {
    made();
    return false;
  } catch {
    return true;
  }
})();

export function enqueuedSend(...given: ConstructorParameters<typeof EnqueuedSend>): EnqueuedSend {
  if (isDevelopment) (sendTo as (...args: unknown[]) => unknown)(...given);
  return new EnqueuedSend(...given);
}

/**
 * Sends the event of a `sendTo` once the reaction of an actor that runs is complete, and tells its inspectors of the
 * action. Returns what is left to XState: delays, and targets by name.
 */
export function sendAfter(action: SendAction, args: ActionArgs, params: unknown, scope: Scope): SendAction | undefined {
  const { to, event: told, id, delay } = action;
  if (delay !== undefined || typeof to === 'string' || typeof told === 'string') return action;
  const event = typeof told === 'function' ? told(args, params) : told;
  const target = typeof to === 'function' ? to(args, params) : to;
  if (typeof target === 'string' || !event || event.type === 'xstate.error') {
    return new EnqueuedSend(target, () => event, { id });
  }
  const { self, system } = scope;
  const receiver = target ?? self;
  system._sendInspectionEvent({
    type: '@xstate.action',
    actorRef: self,
    action: { type, params: { to: receiver, targetId: undefined, event, id, delay: undefined } },
  });
  scope.defer(() => system._relay(self, receiver, event));
  return undefined;
}
