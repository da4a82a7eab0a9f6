import fc from 'fast-check';
import type { LogFormat } from '../../src/journal/log-scan.ts';

/** The format of the logs of these tests. */
export const format: LogFormat = { kind: 'TEST', version: 3, remedy: 'Delete it to start over' };

/** Payloads, among them some that look like records. */
export const payloads = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  { weight: 1, arbitrary: fc.constantFrom('KINTSUGI', 'KINTSUGITEST', 'K').map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 600, maxLength: 1_500 }) },
);

/** A payload that can be told from all others. */
export function numbered(number: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(Uint32Array.of(number).buffer), payload]);
}

/** The number of {@link numbered}. */
export function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
}
