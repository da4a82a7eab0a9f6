import { LocalLink } from '../../src/actors/local-link.ts';
import { HandClock } from '../support/manual-cluster.ts';

function linked() {
  const clock = new HandClock();
  const { link } = new LocalLink(clock);
  const [one, other] = link<number, string>();
  const heard: (number | string)[] = [];
  return { clock, link, one, other, heard };
}

describe('local link', () => {
  it("W2: delivers nothing on the sender's stack, and everything in order on one turn", () => {
    const { clock, one, other, heard } = linked();
    other.onMessage((message) => heard.push(message));
    for (const message of [0, 1, 2]) one.post(message);
    expect(heard).toEqual([]);
    expect(clock.pendingCount).toBe(1);
    clock.advance(0);
    expect(heard).toEqual([0, 1, 2]);
    expect(clock.pendingCount).toBe(0);
  });

  it('delivers replies in the same turn, after earlier messages', () => {
    const { clock, one, other, heard } = linked();
    other.onMessage((message) => {
      heard.push(message);
      if (message === 0) other.post('reply');
    });
    one.onMessage((message) => heard.push(message));
    one.post(0);
    one.post(1);
    clock.advance(0);
    expect(heard).toEqual([0, 1, 'reply']);
    expect(clock.pendingCount).toBe(0);
  });

  it('W1: keeps the order over all of its ports', () => {
    const { clock, link, one, other, heard } = linked();
    const [third, fourth] = link<number, number>();
    for (const port of [other, fourth]) port.onMessage((message) => heard.push(message));
    one.post(0);
    third.post(1);
    one.post(2);
    clock.advance(0);
    expect(heard).toEqual([0, 1, 2]);
  });

  it('delivers the remaining messages, once, if a listener throws', () => {
    const { clock, one, other, heard } = linked();
    other.onMessage((message) => {
      heard.push(message);
      if (message === 1) throw new Error('a bug');
    });
    for (const message of [0, 1, 2]) one.post(message);
    expect(() => clock.advance(0)).toThrow('a bug');
    clock.advance(0);
    expect(heard).toEqual([0, 1, 2]);
  });

  it('delivers nothing to an end that was closed while the message was in transit', () => {
    const { clock, one, other, heard } = linked();
    other.onMessage((message) => heard.push(message));
    one.post(0);
    other.close('enough');
    clock.advance(0);
    expect(heard).toEqual([]);
  });
});
