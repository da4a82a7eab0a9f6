import type { Envelope } from '../../src/actors/protocol/port.ts';
import { linkPorts, LocalCarrier } from '../../src/executors/local-carrier.ts';
import { HandClock } from '../support/manual-cluster.ts';

function carrierRig() {
  const clock = new HandClock();
  const carrier = new LocalCarrier(clock);
  const delivered: number[] = [];
  const send = (number: number, then: () => void = () => {}): void =>
    carrier.carry({ number, message: undefined }, (envelope: Envelope<undefined>) => {
      delivered.push(envelope.number);
      then();
    });
  return { clock, carrier, delivered, send };
}

describe('local carrier', () => {
  it('W2: delivers nothing on the stack of who sends, and everything in order on one turn', () => {
    const { clock, delivered, send } = carrierRig();
    for (const number of [0, 1, 2]) send(number);
    expect(delivered).toEqual([]);
    expect(clock.pendingCount).toBe(1);
    clock.advance(0);
    expect(delivered).toEqual([0, 1, 2]);
    expect(clock.pendingCount).toBe(0);
  });

  it('delivers in the same turn what a delivery gives rise to, after what was sent before', () => {
    const { clock, delivered, send } = carrierRig();
    send(0, () => send(2));
    send(1);
    clock.advance(0);
    expect(delivered).toEqual([0, 1, 2]);
    expect(clock.pendingCount).toBe(0);
  });

  it('delivers the rest, once, when a receiver throws', () => {
    const { clock, delivered, send } = carrierRig();
    send(0);
    send(1, () => {
      throw new Error('a bug');
    });
    send(2);
    expect(() => clock.advance(0)).toThrow('a bug');
    clock.advance(0);
    expect(delivered).toEqual([0, 1, 2]);
  });

  it('links the ports of the master and of an executor, each way', () => {
    const { clock, carrier } = carrierRig();
    const { executorPort, masterPort } = linkPorts(carrier.carry);
    const heard: string[] = [];
    executorPort.onMessage(({ type }) => heard.push(`master heard ${type}`));
    masterPort.onMessage(({ type }) => heard.push(`executor heard ${type}`));
    masterPort.post({ type: 'executor.connected', slots: 1 });
    executorPort.post({ type: 'executor.quarantine', why: 'test' });
    clock.advance(0);
    expect(heard).toEqual(['master heard executor.connected', 'executor heard executor.quarantine']);
  });
});
