import type { Sink } from '../../../src/index.ts';

/** The records of drawn jobs and streams. */
export interface Item {
  readonly key: number;
  readonly value: number;
}

/** Small, so that sums are exact in every order. */
export const modulus = 10_007;

/** A placeholder: the simulation replaces every sink by its own. */
export const nowhere: Sink<unknown> = {
  name: 'nowhere',
  guarantee: 'exactly-once',
  open: () => {
    throw new Error('a simulated run writes nothing');
  },
};
