import type { AnyActorRef, AnyEventObject, AnyStateNode, Snapshot } from 'xstate';
import { propertyOf } from '../../foreign-value.ts';
import type { TraceLine } from '../recording/recording-line.ts';
import type { ActorObserver, TakenTransitions } from './actor-watch.ts';
import { actionName, guardName, pathOf } from './chart-definition.ts';

/** An event that an actor has received and not yet handled. */
interface OpenTrace {
  readonly event: AnyEventObject;
  readonly source: AnyActorRef | undefined;
  readonly taken: TraceLine['taken'][number][];
  readonly actions: string[];
}

interface Traced {
  /** Oldest first: an actor handles one after the other. */
  readonly open: OpenTrace[];
  /** The context that was traced last. */
  context: unknown;
}

/** Most events waiting in one mailbox that are followed. */
const mostOpen = 1_000;

/** What {@link ActorTraces} needs. */
export interface TraceContext {
  readonly numberOf: (actor: AnyActorRef) => number;
  readonly nowMs: () => number;
  readonly encode: (value: unknown, path: string) => unknown;
  readonly emit: (line: TraceLine) => void;
}

/** What the actors that it observes receive and do, event by event. */
export class ActorTraces implements ActorObserver {
  readonly #context: TraceContext;
  readonly #traced = new Map<AnyActorRef, Traced>();

  constructor(context: TraceContext) {
    this.#context = context;
  }

  started(actor: AnyActorRef): void {
    this.#traced.set(actor, { open: [], context: undefined });
  }

  received(actor: AnyActorRef, event: AnyEventObject, source: AnyActorRef | undefined): void {
    const open = this.#traced.get(actor)?.open;
    if (open !== undefined && open.length < mostOpen) open.push({ event, source, taken: [], actions: [] });
  }

  stepped(actor: AnyActorRef, taken: TakenTransitions): void {
    const [present] = this.#traced.get(actor)?.open ?? [];
    for (const each of taken) present?.taken.push(takenOf(each));
  }

  acted(actor: AnyActorRef, action: { readonly type: string }): void {
    const [present] = this.#traced.get(actor)?.open ?? [];
    present?.actions.push(actionName(action));
  }

  changed(actor: AnyActorRef, snapshot: Snapshot<unknown>, event: AnyEventObject): void {
    const traced = this.#traced.get(actor);
    // It may have begun before the actor was focused.
    const index = traced?.open.findIndex((one) => one.event === event) ?? -1;
    if (traced === undefined || index < 0) return;
    // A stopped actor does not handle what came before.
    const open = traced.open.splice(0, index + 1).at(-1) as OpenTrace;
    const { numberOf, nowMs, encode, emit } = this.#context;
    const { type, ...payload } = open.event;
    const context = propertyOf(snapshot, 'context');
    const hasChanged = context !== traced.context;
    traced.context = context;
    emit({
      type: 'trace',
      atMs: nowMs(),
      actor: numberOf(actor),
      source: open.source && numberOf(open.source),
      event: type,
      payload: encode(payload, 'payload'),
      taken: open.taken,
      actions: open.actions,
      ...(hasChanged && context !== undefined && { context: encode(context, 'context') }),
    });
  }

  stopped(actor: AnyActorRef): void {
    this.#traced.delete(actor);
  }
}

function takenOf({ source, eventType, guard }: TakenTransitions[number]): TraceLine['taken'][number] {
  return { source: pathOf(source as AnyStateNode), event: eventType, guard: guardName(guard) };
}
