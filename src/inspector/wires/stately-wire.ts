import type { AnyActorRef, AnyEventObject } from 'xstate';
import { propertiesOf } from '../../foreign-value.ts';
import { ActorCharts } from './actor-chart.ts';
import { dialectOfV5 } from './chart-config.ts';
import type { Wire, WireContext } from './wire.ts';

/** The version of the protocol that is spoken: that of `@statelyai/inspect`. */
const version = '0.7.2';

/**
 * The protocol of `@statelyai/inspect` 0.7: one JSON object a message, unasked. It has no message for a stopped actor: a
 * last snapshot says it, also of actors that end with the run without one.
 */
export function statelyWire(): Wire {
  const charts = new ActorCharts(dialectOfV5);
  const common = (actor: AnyActorRef, { sessionIdOf, epochMs }: WireContext) => ({
    sessionId: sessionIdOf(actor),
    rootId: sessionIdOf(rootOf(actor)),
    id: null,
    createdAt: `${epochMs()}`,
    _version: version,
  });
  const changed = (actor: AnyActorRef, snapshot: object, event: AnyEventObject, context: WireContext): object => ({
    type: '@xstate.snapshot',
    ...common(actor, context),
    event: context.encode(event, 'event'),
    snapshot: plainSnapshot(snapshot, context),
  });
  return {
    handshake: undefined,
    started: (actor, snapshot, context) => ({
      type: '@xstate.actor',
      ...common(actor, context),
      name: actor.id,
      ...(actor._parent !== undefined && { parentId: context.sessionIdOf(actor._parent as AnyActorRef) }),
      definition: charts.of(actor),
      snapshot: plainSnapshot(snapshot, context),
    }),
    received: (actor, event, source, context) => ({
      type: '@xstate.event',
      ...common(actor, context),
      event: context.encode(event, 'event'),
      ...(source !== undefined && { sourceId: context.sessionIdOf(source) }),
    }),
    changed,
    stopped: (actor, last, context) => {
      if (last.status !== 'active') return undefined;
      return changed(actor, { ...last, status: 'stopped' }, { type: 'xstate.stop' }, context);
    },
    sentEvent: () => undefined,
  };
}

function rootOf(actor: AnyActorRef): AnyActorRef {
  const parent = actor._parent as AnyActorRef | undefined;
  return parent === undefined ? actor : rootOf(parent);
}

/** A snapshot without its machine and its children, which have messages of their own. */
function plainSnapshot(snapshot: object, { encode }: WireContext): object {
  const { status, value, context, tags, output, error } = propertiesOf(
    snapshot,
    'status',
    'value',
    'context',
    'tags',
    'output',
    'error',
  );
  return {
    status,
    ...(value !== undefined && { value, tags: [...(tags as Iterable<string>)] }),
    ...(context !== undefined && { context: encode(context, 'context') }),
    ...(output !== undefined && { output: encode(output, 'output') }),
    ...(error !== undefined && { error: encode(error, 'error') }),
    children: {},
  };
}
