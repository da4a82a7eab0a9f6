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

/** Whether an action changes nothing in a snapshot but its children. */
export function changesChildren({ resolve }: BuiltinAction): boolean {
  return resolve === spawns || resolve === stops;
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
    const input = options?.input;
    if (typeof src !== 'string' || typeof input !== 'function') return input;
    const { context } = this.#snapshot;
    return (input as (args: object) => unknown)({ context, event: this.#event, self: this.#scope.self });
  }
}

/** The actor that a chart names, or that it invokes without a name. */
function referencedLogic(machine: AnyStateMachine, src: string): unknown {
  const inline = /^xstate\.invoke\.(\d+)\.(.*)/.exec(src);
  if (inline === null) return implementationsOf(machine).actors[src];
  const [, index, id] = inline as unknown as [string, string, string];
  const { invoke } = machine.getStateNodeById(id).config as { invoke?: unknown };
  const invoked = Array.isArray(invoke) ? (invoke as unknown[])[Number(index)] : invoke;
  return (invoked as { src: unknown }).src;
}

function isStopped(actor: AnyActorRef): boolean {
  return (actor as unknown as { readonly _processingStatus: number })._processingStatus === 2;
}
