import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyStateMachine,
  assign,
  createActor,
  type EventObject,
  spawnChild,
  stopChild,
} from 'xstate';
import {
  type ActionArgs,
  type BuiltinAction,
  type ChartSnapshot,
  implementationsOf,
  type Scope,
} from './chart-shapes.ts';
import { withContext } from './chart-snapshot.ts';

const builtin = (action: unknown): BuiltinAction => action as BuiltinAction;

/** The function by which an `assign` is recognised. */
export const assigns = builtin(assign({})).resolve;
const spawns = builtin(spawnChild('')).resolve;
const stops = builtin(stopChild('')).resolve;

interface SpawnAction extends BuiltinAction, Omit<SpawnOptions, 'id'> {
  readonly src: string | AnyActorLogic;
  readonly id: string | ((args: ActionArgs) => string) | undefined;
}

interface StopAction extends BuiltinAction {
  readonly actorRef: string | AnyActorRef | ((args: ActionArgs, params: unknown) => string | AnyActorRef);
}

/** What an action that changes nothing in a snapshot but its children makes of them, and what it is executed with. */
type ChangedChildren = readonly [children: ChartSnapshot['children'], given: unknown];

/**
 * The children after a `spawnChild` or a `stopChild`; undefined for other actions. XState works out a whole snapshot,
 * with the states that are active.
 */
export function changedChildren(
  action: BuiltinAction,
  snapshot: ChartSnapshot,
  args: ActionArgs,
  params: unknown,
  scope: Scope,
): ChangedChildren | undefined {
  if (action.resolve === spawns) return withChild(action as SpawnAction, snapshot, args, scope);
  if (action.resolve === stops) return withoutChild(action as StopAction, snapshot.children, args, params);
  return undefined;
}

/** undefined if there is no such logic, of which XState warns. */
function withChild(
  { src, id: named, systemId, syncSnapshot, input: given }: SpawnAction,
  { machine, context, children }: ChartSnapshot,
  args: ActionArgs,
  { self }: Scope,
): ChangedChildren | undefined {
  const logic = typeof src === 'string' ? referencedLogic(machine, src) : src;
  if (!logic) return undefined;
  const id = typeof named === 'function' ? named(args) : named;
  const input = inputOf(given, context, args.event, self);
  const options = { id, src, parent: self, syncSnapshot, systemId, input };
  const actorRef = createActor(logic as AnyActorLogic, options as object);
  return [
    { ...children, [id as string]: actorRef },
    { id: named, systemId, actorRef, src, input },
  ];
}

function withoutChild(
  { actorRef: named }: StopAction,
  children: ChartSnapshot['children'],
  args: ActionArgs,
  params: unknown,
): ChangedChildren {
  const told = typeof named === 'function' ? named(args, params) : named;
  const child = typeof told === 'string' ? children[told] : told;
  if (!child) return [children, child];
  const { [child.id]: _, ...others } = children;
  return [others, child];
}

interface AssignAction extends BuiltinAction {
  readonly assignment: Assignment | Readonly<Record<string, unknown>>;
}

type Assignment = (args: AssignArgs, params: unknown) => object;

interface AssignArgs extends ActionArgs {
  readonly spawn: (src: string | AnyActorLogic, options?: SpawnOptions) => AnyActorRef;
}

interface SpawnOptions {
  readonly id?: string;
  readonly systemId?: string;
  readonly syncSnapshot?: boolean;
  readonly input?: unknown;
}

/** The snapshot after an `assign`. */
export function assigned(
  action: BuiltinAction,
  snapshot: ChartSnapshot,
  { context, event, self, system }: ActionArgs,
  params: unknown,
  scope: Scope,
): ChartSnapshot {
  const { assignment } = action as AssignAction;
  let spawner: Spawner | undefined;
  const args: AssignArgs = {
    context,
    event,
    spawn: (src, options) => (spawner ??= new Spawner(scope, snapshot, event)).spawn(src, options),
    self,
    system,
  };
  let changes: Record<string, unknown> | object = {};
  if (typeof assignment === 'function') changes = assignment(args, params);
  else {
    for (const key of Object.keys(assignment)) {
      const value = assignment[key];
      (changes as Record<string, unknown>)[key] =
        typeof value === 'function' ? (value as Assignment)(args, params) : value;
    }
  }
  const children = spawner === undefined ? snapshot.children : { ...snapshot.children, ...spawner.spawned };
  return withContext(snapshot, { ...(context as object), ...changes }, children);
}

/** Creates children for an `assign`, or for a context that is a function. */
export class Spawner {
  readonly spawned: Record<string, AnyActorRef> = {};
  readonly #scope: Scope;
  readonly #snapshot: Pick<ChartSnapshot, 'machine' | 'context'>;
  readonly #event: EventObject;
  /** Children that start with the next effects of the actor. One effect for all: XState takes effects off an array. */
  #unstarted: AnyActorRef[] = [];

  constructor(scope: Scope, snapshot: Pick<ChartSnapshot, 'machine' | 'context'>, event: EventObject) {
    this.#scope = scope;
    this.#snapshot = snapshot;
    this.#event = event;
  }

  spawn(src: string | AnyActorLogic, options?: SpawnOptions): AnyActorRef {
    const child = createActor<AnyActorLogic>(this.#logicOf(src), {
      id: options?.id,
      parent: this.#scope.self,
      syncSnapshot: options?.syncSnapshot,
      input: this.#inputOf(src, options),
      src,
      systemId: options?.systemId,
    } as object);
    this.spawned[child.id] = child;
    if (this.#unstarted.push(child) === 1) this.#scope.defer(() => this.#start());
    return child;
  }

  #start(): void {
    const children = this.#unstarted;
    this.#unstarted = [];
    for (const child of children) if (!isStopped(child)) child.start();
  }

  #logicOf(src: string | AnyActorLogic): AnyActorLogic {
    if (typeof src !== 'string') return src;
    const { machine } = this.#snapshot;
    const logic = referencedLogic(machine, src);
    if (!logic) throw new Error(`Actor logic '${src}' not implemented in machine '${machine.id}'`);
    return logic as AnyActorLogic;
  }

  #inputOf(src: string | AnyActorLogic, options: SpawnOptions | undefined): unknown {
    if (typeof src !== 'string') return options?.input;
    return inputOf(options?.input, this.#snapshot.context, this.#event, this.#scope.self);
  }
}

function inputOf(input: unknown, context: unknown, event: EventObject, self: AnyActorRef): unknown {
  return typeof input === 'function' ? (input as (args: object) => unknown)({ context, event, self }) : input;
}

/** The actor that a chart names, or that it invokes without a name. */
function referencedLogic(machine: AnyStateMachine, src: string): unknown {
  const inline = src.startsWith('xstate.invoke.') ? /^xstate\.invoke\.(\d+)\.(.*)/.exec(src) : null;
  if (inline === null) return implementationsOf(machine).actors[src];
  const [, index, id] = inline as unknown as [string, string, string];
  const { invoke } = machine.getStateNodeById(id).config as { invoke?: unknown };
  const invoked = Array.isArray(invoke) ? (invoke as unknown[])[Number(index)] : invoke;
  return (invoked as { src: unknown }).src;
}

function isStopped(actor: AnyActorRef): boolean {
  return (actor as unknown as { readonly _processingStatus: number })._processingStatus === 2;
}
