import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blake3OfText, type HashWords } from '../../../src/operators/identity/blake3.ts';
import { bundledCode } from '../../support/bundled-script.ts';

/** A text of so many bytes. */
const letters = (count: number): string => String.fromCharCode(...Array.from({ length: count }, (_, at) => at % 128));

/** The shorter ones are test vectors of BLAKE3 itself; the others are what another implementation says. */
const vectors: readonly (readonly [bytes: number, text: string, hash: string])[] = [
  [0, '', 'af1349b9f5f9a1a6a0404dea36dcc949'],
  [1, letters(1), '2d3adedff11b61f14c886e35afa03673'],
  [2, letters(2), '7b7015bb92cf0b318037702a6cdd81de'],
  [63, letters(63), 'e9bc37a594daad83be9470df7f7b3798'],
  [64, letters(64), '4eed7141ea4a5cd4b788606bd23f46e2'],
  [65, letters(65), 'de1e5fa0be70df6d2be8fffd0e99ceaa'],
  [127, letters(127), 'd81293fda863f008c09e92fc382a81f5'],
  [128, letters(128), 'f17e570564b26578c33bb7f44643f539'],
  [129, letters(129), 'c54daf4c8bb81143a0cf33b147693204'],
  [341, letters(341), 'b02240a778d2dd6222e6d923ca54c659'],
  [342, letters(342), '223696bb8af105000ce15e1c88b361e8'],
  [1000, letters(1000), '3dac5887e8ace4b8a8603166269da5c6'],
  [1024, letters(1024), 'c5b6ffb7c73a71816994c94bdbdf1903'],
  [1_024, 'ä'.repeat(512), 'f67e907bcae25d1182080fd0e407760e'],
  [1_023, '€'.repeat(341), '4492296063cc1044a2c4562efa8c1fad'],
  [9, '😀 gold', '2e04511f461d93d5a34d305e5f143882'],
];

function hexOf({ a, b, c, d }: HashWords): string {
  const bytes = Buffer.alloc(16);
  for (const [at, word] of [a, b, c, d].entries()) bytes.writeInt32LE(word, at * 4);
  return bytes.toString('hex');
}

describe('BLAKE3 of a text', () => {
  it.each(vectors)('of %d bytes', (_, text, hash) => {
    expect(hexOf(blake3OfText(text) as HashWords)).toBe(hash);
  });

  it.each([letters(1_025), 'ä'.repeat(513), '€'.repeat(342)])('is not there if it has more than 1 KiB', (text) => {
    expect(blake3OfText(text)).toBeUndefined();
  });

  it('is the same if code must not be generated from strings', async () => {
    const module = join(__dirname, '../../../src/operators/identity/blake3.ts');
    const script = `
      import assert from 'node:assert';
      import { blake3OfText } from ${JSON.stringify(module)};
      ${hexOf.toString()}
      assert.throws(() => new Function('return 1'), EvalError);
      for (const [, text, hash] of ${JSON.stringify(vectors)}) assert.equal(hexOf(blake3OfText(text)), hash);`;
    const directory = mkdtempSync(join(tmpdir(), 'blake3-'));
    execFileSync(process.execPath, ['--disallow-code-generation-from-strings', await bundledCode(script, directory)]);
    rmSync(directory, { recursive: true, force: true });
  });
});
