import { Subject } from 'rxjs';
import { createActor, createMachine, type InspectionEvent } from 'xstate';
import { silentLogger } from '../../../src/environment.ts';
import type { RunId } from '../../../src/ids.ts';
import type { WatchedRun } from '../../../src/inspector/tap/actor-watch.ts';
import { statelyWire } from '../../../src/inspector/wires/stately-wire.ts';
import type { Wire } from '../../../src/inspector/wires/wire.ts';
import { WireConnection, type WireSocket } from '../../../src/inspector/wires/wire-connection.ts';
import { virtualEnvironment } from '../../../src/testing/virtual-environment.ts';

/** A socket that passes on what it has when it is told to. */
class HandSocket implements WireSocket {
  readonly texts: string[] = [];
  bufferedAmount = 0;
  closed: [code: number, reason: string] | undefined;
  #sent: (() => void)[] = [];

  send(text: string, sent: () => void): void {
    this.texts.push(text);
    this.bufferedAmount += text.length;
    this.#sent.push(sent);
  }

  close(code: number, reason: string): void {
    this.closed = [code, reason];
  }

  drain(): void {
    this.bufferedAmount = 0;
    for (const sent of this.#sent.splice(0)) sent();
  }
}

/** A run with one actor, which counts, and a connection that tells of it. */
function connected(redact?: (value: unknown, path: string) => unknown, wire: Wire = statelyWire()) {
  const environment = virtualEnvironment();
  const failed: [observer: string, message: string][] = [];
  const counter = createMachine({ id: 'counter', context: { password: 'hunter2', text: 'x' }, on: { count: {} } });
  const actor = createActor(counter).start();
  const run: WatchedRun = {
    run: 'r1' as RunId,
    actors: () => [actor],
    inspect: (observer: (event: InspectionEvent) => void) => {
      const watching = actor.system.inspect(observer);
      return () => watching.unsubscribe();
    },
    events$: new Subject(),
    environment: { clock: environment.clock, logger: silentLogger },
    observerFailed: (observer, { message }) => failed.push([observer, message]),
  };
  const socket = new HandSocket();
  const connection = new WireConnection({ socket, wire, redact, allowSend: false });
  connection.add(run);
  return { actor, connection, socket, failed, turn: () => environment.runUntilIdle() };
}

it('sends as much as the socket takes, and the rest when it has passed that on, in order', () => {
  const { actor, socket, turn } = connected();
  const text = 'x'.repeat(400);
  for (let number = 0; number < 4_000; number++) actor.send({ type: 'count', text, number } as never);
  turn();
  const first = socket.texts.length;
  expect(socket.bufferedAmount).toBeLessThan((1 << 20) + 2_000);
  expect(first).toBeLessThan(4_000);
  turn();
  expect(socket.texts.length).toBe(first);
  while (socket.bufferedAmount > 0) socket.drain();
  const events = socket.texts.map((each) => JSON.parse(each) as { type: string; event?: { number?: number } });
  const numbers = events.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.number);
  expect(numbers).toEqual(Array.from({ length: 4_000 }, (_, number) => number));
});

it('leaves a receiver that is too slow for the job', () => {
  const { actor, socket, turn } = connected();
  turn();
  for (let number = 0; number < 120_000; number++) actor.send({ type: 'count' });
  expect(socket.closed).toEqual([1013, 'The receiver is too slow for this job']);
  const before = socket.texts.length;
  actor.send({ type: 'count' });
  socket.drain();
  turn();
  expect(socket.texts.length).toBe(before);
});

it('leaves out likely secrets, and what the user wants to be left out', () => {
  const { actor, socket, turn } = connected((value, path) => (path === 'event.user' ? '(a user)' : value));
  actor.send({ type: 'count', user: 'jo', token: 'abc', n: 1 } as never);
  turn();
  socket.drain();
  const [registered, received] = socket.texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(registered?.['snapshot']).toMatchObject({ context: { password: '(left out)', text: 'x' } });
  expect(received?.['event']).toEqual({ type: 'count', user: '(a user)', token: '(left out)', n: 1 });
});

it('ends where a message cannot be made, says so once, and does not break the run', () => {
  const received = (): never => {
    throw new Error('no such message');
  };
  const { actor, socket, failed, turn } = connected(undefined, { ...statelyWire(), received });
  for (let count = 0; count < 3; count++) {
    actor.send({ type: 'count' });
    turn();
  }
  expect(failed).toEqual([['inspector', 'no such message']]);
  expect(socket.closed).toEqual([1011, 'The inspector failed']);
  expect(actor.getSnapshot().status).toBe('active');
});
