import type { AnyActorRef, AnyEventObject, Snapshot } from 'xstate';
import { propertiesOf, propertyOf } from '../../foreign-value.ts';
import { ActorCharts } from './actor-chart.ts';
import { dialectOfV4 } from './chart-config.ts';
import type { SentEvent, Wire, WireContext } from './wire.ts';

/**
 * The protocol of `@xstate/inspect` 0.8, which is for XState 4: the receiver asks, and then every actor is a service
 * with the definition of a machine and states of version 4, each as JSON inside the JSON of its message.
 *
 * What it cannot say: which microsteps and actions were taken. Guards and actions are names. An actor that is no machine
 * is one with a state for each status.
 */
export function xstateInspectWire(): Wire {
  const charts = new ActorCharts(dialectOfV4);
  return {
    handshake: 'xstate.inspecting',
    started: (actor, snapshot, context) => ({
      type: 'service.register',
      id: actor.id,
      sessionId: context.sessionIdOf(actor),
      machine: charts.of(actor),
      state: stateJson(actor, snapshot, { type: 'xstate.init' }, context),
      ...(actor._parent !== undefined && { parent: context.sessionIdOf(actor._parent as AnyActorRef) }),
    }),
    received: (actor, event, source, context) => ({
      type: 'service.event',
      sessionId: context.sessionIdOf(actor),
      event: JSON.stringify(scxmlEvent(event, source, context)),
    }),
    changed: (actor, snapshot, event, context) => ({
      type: 'service.state',
      sessionId: context.sessionIdOf(actor),
      state: stateJson(actor, snapshot, event, context),
    }),
    stopped: (actor, _, context) => ({ type: 'service.stop', sessionId: context.sessionIdOf(actor) }),
    sentEvent,
  };
}

/** An event in the form of version 4. */
function scxmlEvent(event: AnyEventObject, source: AnyActorRef | undefined, context: WireContext): object {
  const name = dialectOfV4.eventName(event.type);
  const data = context.encode(event, 'event') as object;
  return {
    name,
    data: { ...data, type: name },
    $$type: 'scxml',
    type: 'external',
    ...(source !== undefined && { origin: context.sessionIdOf(source) }),
  };
}

/** A snapshot as `State.create` of version 4 takes it. */
function stateJson(actor: AnyActorRef, snapshot: Snapshot<unknown>, event: AnyEventObject, wire: WireContext): string {
  const { value, context, tags } = propertiesOf(snapshot, 'value', 'context', 'tags');
  const scxml = scxmlEvent(event, undefined, wire);
  return JSON.stringify({
    value: value ?? snapshot.status,
    context: context === undefined ? undefined : wire.encode(context, 'context'),
    _event: scxml,
    event: propertyOf(scxml, 'data'),
    _sessionid: wire.sessionIdOf(actor),
    actions: [],
    activities: {},
    meta: {},
    events: [],
    configuration: [],
    transitions: [],
    children: {},
    done: snapshot.status === 'done',
    tags: [...((tags ?? []) as Iterable<string>)],
  });
}

/** `{ type: 'xstate.event', event, service }`; the event is in the form of version 4, and may name the service too. */
function sentEvent({ type, event: json, service }: Readonly<Record<string, unknown>>): SentEvent | undefined {
  if (type !== 'xstate.event' || typeof json !== 'string') return undefined;
  let scxml: unknown;
  try {
    scxml = JSON.parse(json);
  } catch {
    return undefined;
  }
  const event = propertyOf(scxml, 'data');
  const sessionId = service ?? propertyOf(scxml, 'origin');
  if (typeof sessionId !== 'string' || typeof propertyOf(event, 'type') !== 'string') return undefined;
  return { sessionId, event: event as AnyEventObject };
}
