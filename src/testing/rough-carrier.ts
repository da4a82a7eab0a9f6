import type { Clock } from '../environment.ts';
import type { Carry } from '../executors/local-carrier.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * Carries messages as a bad network does: each is cloned, may take its time, so that others overtake it, and may arrive
 * twice. None is lost.
 */
export function roughCarrier(clock: Pick<Clock, 'setImmediate' | 'setTimeout'>, random: SeededRandom): Carry {
  return (envelope, deliver) => {
    const copies = random.chance(0.1) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const arrived = structuredClone(envelope);
      if (random.chance(0.7)) clock.setImmediate(() => deliver(arrived));
      else clock.setTimeout(() => deliver(arrived), random.pick([0, 0, 1, 1, 5, 20]));
    }
  };
}
