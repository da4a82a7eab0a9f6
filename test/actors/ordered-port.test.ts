import fc from 'fast-check';
import { OrderedPort } from '../../src/actors/ordered-port.ts';
import type { Envelope } from '../../src/actors/protocol/port.ts';

interface Said {
  readonly said: number;
}

/** A sending port, and the carried envelopes. */
function sender() {
  const carried: Envelope<Said>[] = [];
  const port = new OrderedPort<Said, Said>({ carry: (envelope) => carried.push(envelope) });
  return { port, carried };
}

/** A receiving port, and the delivered messages. */
function receiver({ listens = true } = {}) {
  const heard: number[] = [];
  const port = new OrderedPort<Said, Said>({ carry: () => {} });
  const listen = (): void => port.onMessage(({ said }) => heard.push(said));
  if (listens) listen();
  return { port, heard, listen };
}

const envelope = (number: number): Envelope<Said> => ({ number, message: { said: number } });

/** Numbers of arriving envelopes: each at least once, in any order. */
const arrivals = fc
  .integer({ min: 0, max: 30 })
  .chain((count) =>
    fc
      .array(fc.integer({ min: 0, max: Math.max(0, count - 1) }), { maxLength: count === 0 ? 0 : 40 })
      .map((repeats) => [...Array.from({ length: count }, (_, number) => number), ...repeats]),
  )
  .chain((numbers) => fc.shuffledSubarray(numbers, { minLength: numbers.length }));

const inOrder = (numbers: readonly number[]): number[] => [...new Set(numbers)].sort((a, b) => a - b);

describe('ordered port', () => {
  it('numbers its messages from 0', () => {
    const { port, carried } = sender();
    for (const said of [7, 8]) port.post({ said });
    expect(carried).toEqual([
      { number: 0, message: { said: 7 } },
      { number: 1, message: { said: 8 } },
    ]);
  });

  it('W1: delivers each message once and in order, however the carrier delays, repeats and reorders them', () => {
    fc.assert(
      fc.property(arrivals, (numbers) => {
        const { port, heard } = receiver();
        for (const number of numbers) port.receive(envelope(number));
        expect(heard).toEqual(inOrder(numbers));
      }),
    );
  });

  it('W1: delivers no message before an earlier one', () => {
    fc.assert(
      fc.property(arrivals, (numbers) => {
        const { port, heard } = receiver();
        for (const [index, number] of numbers.entries()) {
          port.receive(envelope(number));
          const arrived = new Set(numbers.slice(0, index + 1));
          let whole = 0;
          while (arrived.has(whole)) whole++;
          expect(heard).toHaveLength(whole);
        }
      }),
    );
  });

  it('W1: messages wait for a listener, in order', () => {
    fc.assert(
      fc.property(arrivals, fc.nat(), (numbers, at) => {
        const { port, heard, listen } = receiver({ listens: false });
        const listensAt = at % (numbers.length + 1);
        for (const [index, number] of numbers.entries()) {
          if (index === listensAt) listen();
          port.receive(envelope(number));
        }
        if (listensAt === numbers.length) listen();
        expect(heard).toEqual(inOrder(numbers));
      }),
    );
  });

  describe('once closed', () => {
    it('accepts nothing', () => {
      const { port, carried } = sender();
      port.close('enough');
      port.post({ said: 1 });
      expect(carried).toEqual([]);
    });

    it('delivers nothing, neither new messages nor those that waited for their turn or a listener', () => {
      const { port, heard } = receiver();
      port.receive(envelope(1));
      port.close('enough');
      port.receive(envelope(0));
      expect(heard).toEqual([]);
      const unheard = receiver({ listens: false });
      unheard.port.receive(envelope(0));
      unheard.port.close('enough');
      unheard.listen();
      expect(unheard.heard).toEqual([]);
    });

    it('delivers nothing more if a listener closes it while waiting messages are delivered', () => {
      const { port } = receiver({ listens: false });
      for (const number of [0, 1, 2]) port.receive(envelope(number));
      const heard: number[] = [];
      port.onMessage(({ said }) => {
        heard.push(said);
        port.close('enough');
      });
      expect(heard).toEqual([0]);
    });

    it('reports it once, also to a later listener', () => {
      const reasons: string[] = [];
      const { port } = receiver();
      port.onClose((why) => reasons.push(why));
      port.close('first');
      port.close('second');
      expect(reasons).toEqual(['first']);
      port.onClose((why) => reasons.push(`late: ${why}`));
      expect(reasons).toEqual(['first', 'late: first']);
    });
  });
});
