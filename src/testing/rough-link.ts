import type { LinkPorts } from '../actors/local-link.ts';
import { OrderedPort } from '../actors/ordered-port.ts';
import type { Carrier, Envelope } from '../actors/protocol/port.ts';
import type { Clock } from '../environment.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * Links ports over a bad network: each message is cloned, may be delayed and overtaken, and may arrive twice. None is
 * lost.
 */
export function roughLink(clock: Pick<Clock, 'setImmediate' | 'setTimeout'>, random: SeededRandom): LinkPorts {
  const carrierTo = <Message>(deliver: (envelope: Envelope<Message>) => void): Carrier<Message> => ({
    carry: (envelope) => {
      const copies = random.chance(0.1) ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const arrived = structuredClone(envelope);
        if (random.chance(0.7)) clock.setImmediate(() => deliver(arrived));
        else clock.setTimeout(() => deliver(arrived), random.pick([0, 0, 1, 1, 5, 20]));
      }
    },
  });
  return <A, B>() => {
    const one: OrderedPort<A, B> = new OrderedPort(carrierTo<A>((envelope) => other.receive(envelope)));
    const other: OrderedPort<B, A> = new OrderedPort(carrierTo<B>((envelope) => one.receive(envelope)));
    return [one, other];
  };
}
