import type { LinkPorts } from '../actors/local-link.ts';
import { OrderedPort } from '../actors/ordered-port.ts';
import type { Carrier, Envelope } from '../actors/protocol/port.ts';
import type { Clock } from '../environment.ts';
import type { SeededRandom } from './seeded-random.ts';

type Timers = Pick<Clock, 'now' | 'setImmediate' | 'setTimeout'>;

/** One direction of a connection that does not work for a while. */
interface Outage {
  readonly untilMs: number;
  /** Whether messages are kept for later, are lost silently, or cannot be sent and are lost. */
  readonly manner: 'holds' | 'loses' | 'fails';
}

/**
 * Links ports over a bad network: each message is cloned, may be delayed and overtaken, and may arrive twice. None is
 * lost, but for `outages`: so many times a direction of a connection, or both, goes silent for a while.
 */
export function roughLink(clock: Timers, random: SeededRandom, outages = 0): LinkPorts {
  let outagesLeft = outages;
  const interruptions = random.fork('outages');
  return <A, B>() => {
    const broken: { toOther?: Outage; toOne?: Outage } = {};
    const interrupt = (): void => {
      if (outagesLeft === 0 || !interruptions.chance(0.02)) return;
      outagesLeft--;
      const outage: Outage = {
        untilMs: clock.now() + interruptions.pick([20, 100, 200, 400, 1_000, Number.POSITIVE_INFINITY]),
        manner: interruptions.pick(['holds', 'holds', 'loses', 'fails']),
      };
      const ways = interruptions.pick([['toOther'], ['toOne'], ['toOther', 'toOne']] as const);
      for (const way of ways) broken[way] = outage;
    };
    const carrierTo = <Message>(
      way: 'toOther' | 'toOne',
      deliver: (envelope: Envelope<Message>) => void,
      sent: (hasArrived: boolean) => void,
    ): Carrier<Message> => ({
      carry: (envelope) => {
        interrupt();
        const outage = broken[way];
        const isOut = outage !== undefined && clock.now() < outage.untilMs;
        if (isOut && outage.manner === 'fails') clock.setImmediate(() => sent(false));
        if (isOut && outage.manner !== 'holds') return;
        const heldMs = isOut ? outage.untilMs - clock.now() : 0;
        const copies = random.chance(0.1) ? 2 : 1;
        for (let copy = 0; copy < copies; copy++) {
          const arrived = structuredClone(envelope);
          if (random.chance(0.7) && heldMs === 0) clock.setImmediate(() => deliver(arrived));
          else clock.setTimeout(() => deliver(arrived), heldMs + random.pick([0, 0, 1, 1, 5, 20]));
        }
      },
    });
    const one: OrderedPort<A, B> = new OrderedPort(
      carrierTo<A>(
        'toOther',
        (envelope) => other.receive(envelope),
        (hasArrived) => one.sent(hasArrived),
      ),
    );
    const other: OrderedPort<B, A> = new OrderedPort(
      carrierTo<B>(
        'toOne',
        (envelope) => one.receive(envelope),
        (hasArrived) => other.sent(hasArrived),
      ),
    );
    return [one, other];
  };
}
