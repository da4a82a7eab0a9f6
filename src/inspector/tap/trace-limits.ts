import type { PlainValueLimits } from '../recording/plain-value.ts';

/** Of payloads and contexts, which a focused actor has many of. */
export const traceLimits: Partial<PlainValueLimits> = { depth: 4, entries: 50, characters: 500, values: 500 };
