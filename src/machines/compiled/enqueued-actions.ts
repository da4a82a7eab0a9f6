import { assign, cancel, emit, enqueueActions, raise, sendParent, spawnChild, stopChild } from 'xstate';
import type { ActionArgs, BuiltinAction, ChartAction, ChartGuard, ChartSnapshot } from './chart-shapes.ts';
import { passes } from './guards.ts';
import { enqueuedSend } from './sent-events.ts';

interface EnqueueAction extends BuiltinAction {
  readonly collect: (args: object, params: unknown) => void;
}

/** The function by which an `enqueueActions` is recognised. */
export const enqueues = (enqueueActions(() => {}) as unknown as BuiltinAction).resolve;

/** The actions that an `enqueueActions` collects. */
export function enqueuedBy(
  action: BuiltinAction,
  snapshot: ChartSnapshot,
  { context, event, self, system }: ActionArgs,
  params: unknown,
): readonly ChartAction[] {
  const actions: ChartAction[] = [];
  (action as EnqueueAction).collect(
    {
      context,
      event,
      enqueue: enqueuerOf(actions),
      check: (guard: ChartGuard) => passes(guard, snapshot, event),
      self,
      system,
    },
    params,
  );
  return actions;
}

/** Collects the actions that it is called with, or that its methods make. */
interface Enqueuer {
  (action: ChartAction): void;
  [collected]: ChartAction[];
}

const collected = Symbol('collected');

type Make = (...args: never[]) => unknown;

/** By name of the method. Most collectors use one of them, so each is made when it is asked for. */
const methods: Readonly<Record<string, Make>> = {
  assign,
  cancel,
  raise,
  sendTo: enqueuedSend,
  sendParent,
  spawnChild,
  stopChild,
  emit,
};

const enqueuer: object = Object.create(
  Function.prototype,
  Object.fromEntries(
    Object.entries(methods).map(([name, make]) => [
      name,
      {
        get(this: Enqueuer) {
          const actions = this[collected];
          return (...args: never[]): void => {
            actions.push(make(...args) as ChartAction);
          };
        },
      },
    ]),
  ),
) as object;

function enqueuerOf(actions: ChartAction[]): Enqueuer {
  const enqueue = ((action) => {
    actions.push(action);
  }) as Enqueuer;
  enqueue[collected] = actions;
  return Object.setPrototypeOf(enqueue, enqueuer) as Enqueuer;
}
