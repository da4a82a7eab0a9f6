import { type AnyActorRef, type AnyMachineSnapshot, type AnyStateMachine, createActor, fromTransition } from 'xstate';
import { getShortestPaths } from 'xstate/graph';

/**
 * `running`, `scheduled.allocating` or `failed+awaited`: the state value as one word, without parents that only group
 * states.
 */
export function stateName(value: unknown, groups: readonly string[] = []): string {
  if (typeof value === 'string') return value;
  const all = Object.entries(value as Record<string, unknown>).map(([parent, child]) => {
    const inner = stateName(child, groups);
    return groups.includes(parent) ? inner : `${parent}.${inner}`;
  });
  return all.join('+');
}

/** A live machine in which everything it names is replaced by a recorder. */
export interface RecordedActor {
  readonly actor: AnyActorRef;
  /** Its effects since the last `take`: provided actions by name, messages as `→ type`. */
  take(): string[];
}

/**
 * Replaces the named actions of a machine by recorders.
 * @param names the actions that the composition root provides
 */
export function recorded(
  machine: AnyStateMachine,
  names: readonly string[],
  input: (log: (entry: string) => void) => Record<string, unknown>,
  { isStarted = true, ...extra }: { readonly actors?: Record<string, unknown>; readonly isStarted?: boolean } = {},
): RecordedActor {
  const log: string[] = [];
  const actions = Object.fromEntries(
    names.map((name) => [
      name,
      (_: unknown, params: { state?: string; status?: string } | undefined) => {
        const what = params?.state ?? params?.status;
        log.push(what === undefined ? name : `${name} ${what}`);
      },
    ]),
  );
  const actor = createActor(machine.provide({ actions, ...extra } as never), {
    input: input((entry) => log.push(entry)),
  });
  if (isStarted) actor.start();
  return { actor, take: () => log.splice(0) };
}

/** An actor that records what it is sent. */
export function listener(
  log: (entry: string, event: { readonly type: string }) => void,
  { tags = [], parent }: { readonly tags?: readonly string[]; readonly parent?: AnyActorRef } = {},
): AnyActorRef {
  const logic = fromTransition((state: object, event: { type: string }) => {
    log(`→ ${event.type}`, event);
    return state;
  }, {});
  const initial = logic.getInitialSnapshot;
  const tagged = {
    ...logic,
    getInitialSnapshot: (...args: Parameters<typeof initial>) => ({
      ...initial(...args),
      hasTag: (tag: string) => tags.includes(tag),
    }),
  };
  const silent = createActor(tagged, parent === undefined ? {} : { parent });
  silent.start();
  return silent as AnyActorRef;
}

/** Every shortest path of a machine over the given events, as the list of events to each state. */
export function walks(
  machine: AnyStateMachine,
  events: readonly { readonly type: string }[],
  input: Record<string, unknown>,
  serialize: (snapshot: AnyMachineSnapshot) => string,
  groups: readonly string[] = [],
): { readonly state: string; readonly events: readonly { readonly type: string }[] }[] {
  return getShortestPaths(machine, {
    events: [...events] as never,
    input: input as never,
    serializeState: ((snapshot: AnyMachineSnapshot) => serialize(snapshot)) as never,
    limit: 20_000,
  }).map((path) => ({
    state: stateName((path.state as AnyMachineSnapshot).value, groups),
    events: path.steps.map((step) => step.event as { type: string }).filter((event) => event.type !== 'xstate.init'),
  }));
}
