import { createActor } from 'xstate';
import { delayActor } from '../../src/actors/delay-actor.ts';
import { heartbeatActions } from '../../src/machines/heartbeat/heartbeat-actions.ts';
import { type HeartbeatEvent, heartbeatMachine } from '../../src/machines/heartbeat/heartbeat-machine.ts';
import { HandClock } from '../support/manual-cluster.ts';

const machine = heartbeatMachine.provide({ actors: { delay: delayActor }, actions: heartbeatActions });

const [intervalMs, timeoutMs] = [100, 500];

function watching({ failedSends = 2 } = {}) {
  const clock = new HandClock();
  const log: string[] = [];
  const note = (what: string) => () => void log.push(`${what} at ${clock.now()}`);
  const peer = {
    beat: note('beat'),
    ask: note('ask'),
    answer: note('answer'),
    take: (payload: unknown) => payload !== undefined && log.push(`take ${payload as string}`),
    lost: (why: string) => log.push(`lost at ${clock.now()}: ${why}`),
  };
  const actor = createActor(machine, { input: { clock, intervalMs, timeoutMs, failedSends, peer } }).start();
  const send = (...types: readonly HeartbeatEvent['type'][]): void => {
    for (const type of types) actor.send({ type } as HeartbeatEvent);
  };
  const take = (): string[] => log.splice(0);
  const passing = (ms: number): string[] => {
    clock.advance(ms);
    return take();
  };
  return { actor, clock, send, take, passing };
}

const lossesIn = (log: readonly string[]): string[] => log.filter((entry) => entry.startsWith('lost'));
const isSuspected = ({ actor }: ReturnType<typeof watching>): boolean =>
  actor.getSnapshot().matches({ watching: { peer: 'suspected' } });

describe('heartbeat machine', () => {
  it('beats at each interval, whether or not it hears anything', () => {
    const { passing, send } = watching();
    expect(passing(250)).toEqual(['beat at 100', 'beat at 200']);
    send('heartbeat.heard');
    expect(passing(250)).toEqual(['beat at 300', 'beat at 400', 'beat at 500']);
  });

  it('HB1: a peer that is not heard for the timeout is lost, once', () => {
    const it = watching();
    expect(lossesIn(it.passing(timeoutMs - 1))).toEqual([]);
    expect(lossesIn(it.passing(1))).toEqual(['lost at 500: it was not heard for 500 ms']);
    it.send('heartbeat.heard', 'heartbeat.requested');
    expect(it.passing(10 * timeoutMs)).toEqual([]);
    expect([it.actor.getSnapshot().value, it.clock.pendingCount]).toEqual(['silent', 0]);
  });

  it.each(['heartbeat.heard', 'heartbeat.requested'] as const)('HB1: %s begins the timeout anew', (type) => {
    const it = watching();
    it.passing(timeoutMs - 1);
    it.send(type);
    expect(lossesIn(it.passing(timeoutMs - 1))).toEqual([]);
    expect(lossesIn(it.passing(1))).toHaveLength(1);
  });

  it.each([timeoutMs, timeoutMs + intervalMs, 3 * timeoutMs, 100 * timeoutMs])(
    'HB2: after a stall of its own of %i ms it asks once more, and gives the peer the whole timeout',
    (stallMs) => {
      for (let startMs = 0; startMs < 2 * intervalMs; startMs += 9) {
        const it = watching();
        it.passing(startMs);
        it.send('heartbeat.heard');
        it.take();
        it.clock.stall(stallMs);
        const endMs = startMs + stallMs;
        expect(it.take()).toEqual([`ask at ${endMs}`]);
        expect(isSuspected(it)).toBe(true);
        expect(lossesIn(it.passing(timeoutMs - 1))).toEqual([]);
        expect(lossesIn(it.passing(1))).toHaveLength(1);
      }
    },
  );

  it('HB2: it is healthy again as soon as it is heard, and suspected again after another stall', () => {
    const it = watching();
    it.clock.stall(timeoutMs);
    it.send('heartbeat.heard');
    expect(isSuspected(it)).toBe(false);
    expect(lossesIn(it.passing(timeoutMs - 1))).toEqual([]);
    it.clock.stall(timeoutMs);
    it.passing(timeoutMs / 2);
    it.clock.stall(timeoutMs);
    expect([isSuspected(it), lossesIn(it.take())]).toEqual([true, []]);
    expect(lossesIn(it.passing(timeoutMs))).toHaveLength(1);
  });

  it('HB2: a small delay of its timers is no stall', () => {
    const it = watching();
    for (let passed = 0; passed < timeoutMs; passed += 125) {
      it.passing(95);
      it.clock.stall(30);
    }
    expect(isSuspected(it)).toBe(false);
    expect(lossesIn(it.passing(intervalMs))).toHaveLength(1);
  });

  it.each([1, 2, 5])(
    'HB3: it is unreachable at exactly %i heartbeats in a row that could not be sent',
    (failedSends) => {
      const it = watching({ failedSends });
      for (let failed = 1; failed < failedSends; failed++) it.send('heartbeat.sendFailed');
      expect(it.take()).toEqual([]);
      it.send('heartbeat.sendFailed', 'heartbeat.sendFailed');
      const what = failedSends === 1 ? 'a heartbeat' : `${failedSends} heartbeats in a row`;
      expect(it.take()).toEqual([`lost at 0: ${what} could not be sent to it`]);
      expect(it.actor.getSnapshot().value).toBe('unreachable');
    },
  );

  it.each(['heartbeat.sent', 'heartbeat.heard', 'heartbeat.requested'] as const)(
    'HB3: %s begins the count anew',
    (type) => {
      const it = watching();
      for (let time = 0; time < 5; time++) it.send('heartbeat.sendFailed', type);
      expect(lossesIn(it.take())).toEqual([]);
    },
  );

  it('HB3: without a limit it is never unreachable', () => {
    const it = watching({ failedSends: Number.POSITIVE_INFINITY });
    for (let time = 0; time < 100; time++) it.send('heartbeat.sendFailed');
    expect(it.take()).toEqual([]);
  });

  it('HB4: a request is answered, a plain heartbeat is not, and the payload of both is taken', () => {
    const { actor, take } = watching();
    actor.send({ type: 'heartbeat.requested', payload: 'A' });
    actor.send({ type: 'heartbeat.heard', payload: 'B' });
    expect(take()).toEqual(['take A', 'answer at 0', 'take B']);
  });

  it('stops with its actor: no timer is left', () => {
    const { actor, clock } = watching();
    actor.stop();
    expect(clock.pendingCount).toBe(0);
  });
});
