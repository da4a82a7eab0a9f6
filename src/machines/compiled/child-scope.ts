import { type AnyActorRef, createActor, createMachine, type EventObject } from 'xstate';
import type { Scope } from './chart-shapes.ts';
import { isDevelopment } from './sent-events.ts';

type Action = Parameters<Scope['actionExecutor']>[0];

/** What XState's actors have, as far as it is used here. */
export interface ActorParts {
  readonly _parent: AnyActorRef | undefined;
  readonly _processingStatus: number;
  readonly _deferred: (() => void)[];
  readonly _actorScope: Scope & { emit(event: EventObject): void };
  readonly options: { readonly clock: unknown; readonly logger: unknown; readonly devTools: unknown };
  readonly mailbox: { readonly constructor: new (process: (event: EventObject) => void) => object };
  eventListeners: ReadonlyMap<string, unknown>;
  _process(event: EventObject): void;
  _initState(): void;
  _stop(): void;
}

/** The system of an actor, as far as it is used here. */
export type ActorSystem = Scope['system'] & {
  readonly _clock: unknown;
  readonly _logger: unknown;
  _bookId(): string;
};

const nothing = createMachine({});
let example: ActorParts | undefined;

/** An actor of XState that runs and does nothing. Not made before it is needed: other versions have other parts. */
export function exampleActor(): ActorParts {
  return (example ??= partsOf(createActor(nothing).start()));
}

export function partsOf(actor: AnyActorRef): ActorParts {
  return actor as unknown as ActorParts;
}

/** What a compiled machine asks of its actor. XState makes a function for each question and actor. */
export class ChildScope implements Scope {
  readonly self: AnyActorRef;
  readonly id: string;
  readonly sessionId: string;
  readonly logger: unknown;
  readonly system: ActorSystem;

  constructor(self: AnyActorRef, id: string, sessionId: string, logger: unknown, system: ActorSystem) {
    this.self = self;
    this.id = id;
    this.sessionId = sessionId;
    this.logger = logger;
    this.system = system;
  }

  defer(effect: () => void): void {
    partsOf(this.self)._deferred.push(effect);
  }

  stopChild(child: AnyActorRef): void {
    if (partsOf(child)._parent !== this.self) {
      throw new Error(`Cannot stop child actor ${child.id} of ${this.id} because it is not a child`);
    }
    partsOf(child)._stop();
  }

  /** Another actor does it: XState does not export how it reports errors of listeners. */
  emit(event: EventObject): void {
    const speaker = partsOf(createActor(nothing));
    speaker.eventListeners = partsOf(this.self).eventListeners;
    speaker._actorScope.emit(event);
  }

  actionExecutor(action: Action): void {
    const { _processingStatus: status, _deferred: deferred } = partsOf(this.self);
    if (status === running) execute(action, this);
    else deferred.push(() => execute(action, this));
  }
}

function execute(action: Action, { self, system }: ChildScope): void {
  const { type, params, info, exec } = action;
  system._sendInspectionEvent({ type: '@xstate.action', actorRef: self, action: { type, params } });
  if (!exec) return;
  // XState's development build has to know that an action runs.
  if (isDevelopment) exampleActor()._actorScope.actionExecutor(action);
  else (exec as (given: unknown, params: unknown) => void)(info, params);
}

const running = 1;

/** The same scope for XState's interpreter, which replaces a function of it and calls the former one by itself. */
export function wholeScope(scope: Scope): Scope {
  if (!(scope instanceof ChildScope)) return scope;
  const { self, id, sessionId, logger, system } = scope;
  const whole = {
    ...{ self, id, sessionId, logger, system },
    defer: (effect: () => void) => scope.defer(effect),
    stopChild: (child: AnyActorRef) => scope.stopChild(child),
    emit: (event: EventObject) => scope.emit(event),
    actionExecutor: (action: Action) => scope.actionExecutor(action),
  };
  return whole;
}
