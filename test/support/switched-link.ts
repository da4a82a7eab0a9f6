import type { LinkPorts } from '../../src/actors/local-link.ts';
import { OrderedPort } from '../../src/actors/ordered-port.ts';
import type { Clock } from '../../src/environment.ts';

type Way = 'toMaster' | 'toExecutor';

/** What one connection does with its messages: carries them, keeps them for later, or cannot send them. */
type Manner = 'carries' | 'holds' | 'fails';

/** Connections whose two directions a test switches off and on. Executors are numbered in the order of their start. */
export class SwitchedLink {
  readonly #clock: Clock;
  readonly #manners: Record<Way, Manner>[] = [];
  readonly #held: Record<Way, (() => void)[]>[] = [];
  /** Messages so far, by type. */
  readonly sent = new Map<string, number>();
  /** Changes a message on its way. */
  garble: (message: unknown) => unknown = (message) => message;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly link: LinkPorts = <A, B>() => {
    const index = this.#manners.push({ toMaster: 'carries', toExecutor: 'carries' }) - 1;
    this.#held.push({ toMaster: [], toExecutor: [] });
    const one: OrderedPort<A, B> = new OrderedPort({
      carry: (envelope) => this.#carry(index, 'toExecutor', envelope, (arrived) => other.receive(arrived), one),
    });
    const other: OrderedPort<B, A> = new OrderedPort({
      carry: (envelope) => this.#carry(index, 'toMaster', envelope, (arrived) => one.receive(arrived), other),
    });
    return [one, other];
  };

  set(executor: number, manner: Manner, ways: readonly Way[] = ['toMaster', 'toExecutor']): void {
    for (const way of ways) {
      (this.#manners[executor] as Record<Way, Manner>)[way] = manner;
      if (manner !== 'carries') continue;
      const held = (this.#held[executor] as Record<Way, (() => void)[]>)[way];
      for (const deliver of held.splice(0)) this.#clock.setImmediate(deliver);
    }
  }

  #carry<Envelope extends { readonly number: number; readonly message: unknown }>(
    executor: number,
    way: Way,
    envelope: Envelope,
    receive: (arrived: Envelope) => void,
    port: { sent(hasArrived: boolean): void },
  ): void {
    const { type } = envelope.message as { readonly type: string };
    this.sent.set(type, (this.sent.get(type) ?? 0) + 1);
    const arrived = { ...envelope, message: this.garble(structuredClone(envelope.message)) };
    const deliver = (): void => receive(arrived);
    const manner = this.#manners[executor]?.[way];
    if (manner === 'holds') this.#held[executor]?.[way].push(deliver);
    else if (manner === 'carries') this.#clock.setImmediate(deliver);
    if (manner !== 'holds') this.#clock.setImmediate(() => port.sent(manner === 'carries'));
  }
}
