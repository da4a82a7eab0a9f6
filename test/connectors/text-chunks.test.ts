import fc from 'fast-check';
import { constants } from 'node:buffer';
import { appendTexts, tooLongText } from '../../src/connectors/outputs/text-chunks.ts';
import { UnrecoverableError } from '../../src/errors/job-errors.ts';
import { isLong } from '../support/draws.ts';

const longest = 256 * 1_024;

async function appended(texts: Iterable<string>, isLater: boolean): Promise<string[]> {
  const chunks: string[] = [];
  await appendTexts(texts, (chunk) => {
    chunks.push(chunk);
    return isLater ? Promise.resolve() : undefined;
  });
  return chunks;
}

describe('texts of records', () => {
  it.each([false, true])('are appended in order, in bounded chunks (awaited: %p)', async (isLater) => {
    const property = fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('a', '継', '🜚', '\ud800'), fc.integer({ min: 0, max: 400_000 })), {
        maxLength: 6,
      }),
      async (parts) => {
        const texts = parts.map(([text, count]) => text.repeat(count));
        const chunks = await appended(texts, isLater);
        expect(chunks.join('') === texts.join('')).toBe(true);
        for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(longest + 1);
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });

  it('keep surrogate pairs together at a cut', async () => {
    for (const before of ['', 'x']) {
      const chunks = await appended([before + '🜚'.repeat(longest)], false);
      expect(chunks.length).toBeGreaterThan(1);
      expect(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))).toString()).toBe(before + '🜚'.repeat(longest));
    }
  });

  it('are made on demand, one awaited chunk at a time', async () => {
    let made = 0;
    let go = (): void => {};
    const texts = function* () {
      for (; made < 3; made++) yield 'x'.repeat(longest);
    };
    const done = appendTexts(texts(), () => new Promise<void>((resolve) => (go = resolve)));
    expect(made).toBe(1);
    for (let chunk = 0; chunk < 3; chunk++) {
      go();
      await Promise.resolve();
      await Promise.resolve();
    }
    await done;
    expect(made).toBe(3);
  });

  it('a text that is longer than a string can be is an error that says so', () => {
    const longest = 'x'.repeat(constants.MAX_STRING_LENGTH);
    let thrown: unknown;
    try {
      // V8 has one error for both; to write half a gigabyte takes seconds.
      void (isLong ? JSON.stringify(longest) : `${longest}${longest}`);
    } catch (error) {
      thrown = error;
    }
    const error = tooLongText('out.ndjson', thrown);
    expect(error).toBeInstanceOf(UnrecoverableError);
    expect(error?.message).toMatch(/^out\.ndjson: .* longer than a string can be .*Split such records/);
    expect(tooLongText('out.ndjson', new RangeError('another'))).toBeUndefined();
  });
});
