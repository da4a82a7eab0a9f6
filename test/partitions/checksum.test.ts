import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc32 } from '../../src/partitions/records/checksum.ts';

it.each([1, 255, 256, 4_099])('the checksum of %i bytes in the middle of others equals that of zlib', (length) => {
  const bytes = Uint8Array.from({ length: length + 9 }, (_, index) => index * 31);
  const [before, part] = [bytes.subarray(0, 4), bytes.subarray(4, 4 + length)];
  expect(crc32(bytes, crc32(before), 4, 4 + length)).toBe(zlibCrc32(Buffer.concat([before, part])));
});
