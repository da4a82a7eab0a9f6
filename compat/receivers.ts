import { createWebSocketReceiver as statelyReceiver } from '@statelyai/inspect';
import { createWebSocketReceiver as oldReceiver, type ParsedReceiverEvent } from '@xstate/inspect';
import { collect, fixedDelay, fromArray, Job } from 'kintsugi';
import { inspect } from 'kintsugi/inspect';
import { WebSocket } from 'ws';

/**
 * Runs a job that recovers from a failure, and connects the real receivers of both inspectors of XState to its wires.
 * Prints what the engine said, and what each receiver got of it, as one line of JSON.
 */
Object.assign(globalThis, { WebSocket });

/** What one end has counted. */
interface Count {
  events: number;
  states: number;
}

/** The event that the old receiver sends to the job master, at which all three begin to count. */
const hello = { name: 'hello', data: { type: 'hello' }, $$type: 'scxml', type: 'external' };

let open!: () => void;
const gate = new Promise<void>((resolve) => (open = resolve));
let failures = 1;
const job = Job.create('words', { parallelism: 2 });
job
  .source('words', fromArray(['gold', 'dust', 'lacquer', 'bowl']))
  .mapAsync(async (word) => (await gate, word), { uid: 'held' })
  .keyBy((word) => word.length)
  .reduce((a, b) => (failures-- > 0 ? a.repeat(-1) : a + b), { uid: 'joined' })
  .sink('out', collect());

let isCounting = false;
const engine: Count & { ended: Set<string> } = { events: 0, states: 0, ended: new Set() };
const run = job.run({
  inspect: (inspected) => {
    if (inspected.type === '@xstate.event' && inspected.event.type === 'hello') isCounting = true;
    if (!isCounting) return;
    if (inspected.type === '@xstate.event') engine.events++;
    if (inspected.type !== '@xstate.snapshot') return;
    engine.states++;
    if (inspected.snapshot.status !== 'active') engine.ended.add(inspected.actorRef.sessionId);
  },
  restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }),
});
run.events$.subscribe({ complete: () => (isCounting = false) });
const { url } = await inspect(run, { allowSend: true });
const { host, search } = new URL(url);

const stately = { events: 0, states: 0, actors: new Map<string, string>(), machines: new Set<string>(), ended: new Set() };
statelyReceiver({ server: `ws://${host}/wires/stately${search}` }).subscribe((message) => {
  if (message.type === '@xstate.actor') {
    stately.actors.set(message.sessionId, message.name ?? '');
    stately.machines.add((JSON.parse(message.definition as string) as { id: string }).id);
  }
  if (message.type === '@xstate.snapshot' && message.snapshot.status !== 'active') stately.ended.add(message.sessionId);
  if (message.type === '@xstate.event' && (stately.events > 0 || message.event.type === 'hello')) stately.events++;
  if (message.type === '@xstate.snapshot' && stately.events > 0) stately.states++;
});

type Registered = Extract<ParsedReceiverEvent, { type: 'service.register' }>;
const old = { events: 0, states: 0, services: new Map<string, Registered>(), stopped: 0, strangeStates: 0, echoes: 0 };
const receiver = oldReceiver({ server: `${host}/wires/xstate-inspect${search}`, protocol: 'ws', serialize: undefined });
receiver.subscribe((message) => {
  if (message.type === 'service.register') old.services.set(message.sessionId, message);
  if (message.type === 'service.event' && message.event.name === 'hello') old.echoes++;
  if (message.type === 'service.stop') old.stopped++;
  if (message.type === 'service.state') {
    try {
      old.services.get(message.sessionId)?.machine.getStateNodes(message.state.value);
    } catch {
      old.strangeStates++;
    }
  }
  if (message.type === 'service.event' && old.echoes > 0) old.events++;
  if (message.type === 'service.state' && old.echoes > 0) old.states++;
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 3_000 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 10));
};
const master = (): Registered | undefined => [...old.services.values()].find(({ id }) => id.endsWith('/master'));
await until(() => master() !== undefined && stately.actors.size === old.services.size && run.snapshot().tasks.running === 2);
const registered = old.services.size;
receiver.send({ type: 'xstate.event', event: JSON.stringify(hello), service: master()?.sessionId ?? '' });
await until(() => old.echoes > 0);
open();
await run.result;
await until(() => old.stopped === old.services.size && stately.ended.size === stately.actors.size);

const services = [...old.services.values()];
console.log(
  JSON.stringify({
    engine: { ...engine, ended: engine.ended.size },
    registered,
    stately: {
      ...stately,
      actors: [...stately.actors.values()].sort(),
      machines: [...stately.machines],
      ended: stately.ended.size,
    },
    old: {
      ...old,
      services: services.map(({ id }) => id).sort(),
      machines: [...new Set(services.map(({ machine }) => machine.id))],
    },
  }),
);
process.exit(0);
