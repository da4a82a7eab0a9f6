import type { AnyActorRef, AnyEventObject, AnyStateNode, InspectionEvent } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import type { TraceLine } from '../recording/recording-line.ts';
import { actionName, guardName, pathOf } from './chart-definition.ts';

/** An event that an actor has received and not yet handled. */
interface OpenTrace {
  readonly event: AnyEventObject;
  readonly source: AnyActorRef | undefined;
  readonly taken: TraceLine['taken'][number][];
  readonly actions: string[];
}

interface Focused {
  /** Oldest first: an actor handles one after the other. */
  readonly open: OpenTrace[];
  /** The context that was traced last. */
  context: unknown;
}

/** Most events waiting in one mailbox that are followed. */
const mostOpen = 1_000;

type Microstep = Extract<InspectionEvent, { type: '@xstate.microstep' }>;

/** What {@link ActorTraces} needs of the actors. */
export interface TraceContext {
  readonly numberOf: (actor: AnyActorRef) => number | undefined;
  readonly nowMs: () => number;
  readonly encode: (value: unknown, path: string) => unknown;
  readonly emit: (line: TraceLine) => void;
}

/** What the focused actors receive and do, event by event. */
export class ActorTraces {
  readonly #context: TraceContext;
  readonly #focused = new Map<AnyActorRef, Focused>();

  constructor(context: TraceContext) {
    this.#context = context;
  }

  get isIdle(): boolean {
    return this.#focused.size === 0;
  }

  /** Follows exactly these actors. */
  focus(actors: Iterable<AnyActorRef>): void {
    this.#focused.clear();
    for (const actor of actors) this.add(actor);
  }

  add(actor: AnyActorRef): void {
    this.#focused.set(actor, { open: [], context: undefined });
  }

  remove(actor: AnyActorRef): void {
    this.#focused.delete(actor);
  }

  /** Takes an inspection event. */
  next(inspected: InspectionEvent): void {
    const focused = this.#focused.get(inspected.actorRef as AnyActorRef);
    if (focused === undefined) return;
    const [present] = focused.open;
    switch (inspected.type) {
      case '@xstate.event':
        if (focused.open.length < mostOpen) {
          focused.open.push({
            event: inspected.event,
            source: inspected.sourceRef as AnyActorRef | undefined,
            taken: [],
            actions: [],
          });
        }
        return;
      case '@xstate.microstep':
        for (const taken of inspected._transitions) present?.taken.push(takenOf(taken));
        return;
      case '@xstate.action':
        present?.actions.push(actionName(inspected.action));
        return;
      case '@xstate.snapshot':
        this.#handled(focused, inspected);
        return;
      default:
    }
  }

  #handled(focused: Focused, { actorRef, event, snapshot }: Extract<InspectionEvent, { type: '@xstate.snapshot' }>) {
    const { numberOf, nowMs, encode, emit } = this.#context;
    const index = focused.open.findIndex((one) => one.event === event);
    // It began before the actor was focused.
    if (index < 0) return;
    // A stopped actor does not handle what came before.
    const open = focused.open.splice(0, index + 1).at(-1);
    const actor = numberOf(actorRef as AnyActorRef);
    if (open === undefined || actor === undefined) return;
    const { type, ...payload } = open.event;
    const context = propertyOf(snapshot, 'context');
    const hasChanged = context !== focused.context;
    focused.context = context;
    emit({
      type: 'trace',
      atMs: nowMs(),
      actor,
      source: open.source && numberOf(open.source),
      event: type,
      payload: encode(payload, 'payload'),
      taken: open.taken,
      actions: open.actions,
      ...(hasChanged && context !== undefined && { context: encode(context, 'context') }),
    });
  }
}

function takenOf({ source, eventType, guard }: Microstep['_transitions'][number]): TraceLine['taken'][number] {
  return { source: pathOf(source as AnyStateNode), event: eventType, guard: guardName(guard) };
}
