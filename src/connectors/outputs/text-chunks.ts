import { constants } from 'node:buffer';
import { UnrecoverableError } from '../../errors/job-errors.ts';

/** Characters per chunk. */
const chunkLength = 256 * 1_024;

/**
 * Appends texts in chunks of bounded length, so that neither a whole batch becomes one string nor a long text one
 * buffer. Texts are produced on demand.
 *
 * @param append writes a chunk; a promise it returns is awaited
 */
export function appendTexts(
  texts: Iterable<string>,
  append: (chunk: string) => void | Promise<void>,
): void | Promise<void> {
  const chunks = chunksOf(texts);
  for (let next = chunks.next(); next.done !== true; next = chunks.next()) {
    const appended = append(next.value);
    if (appended !== undefined) return appendOn(appended, chunks, append);
  }
}

/**
 * The error for `file` if `thrown` means that the text of a record exceeds the maximum string length; otherwise
 * undefined.
 */
export function tooLongText(file: string, thrown: unknown): UnrecoverableError | undefined {
  if (!(thrown instanceof RangeError && thrown.message === 'Invalid string length')) return undefined;
  return new UnrecoverableError(
    `${file}: the text of one record is longer than a string can be (${constants.MAX_STRING_LENGTH} characters). Split such records before the sink`,
    { cause: thrown },
  );
}

async function appendOn(
  appended: Promise<void>,
  chunks: Iterable<string>,
  append: (chunk: string) => void | Promise<void>,
): Promise<void> {
  await appended;
  for (const chunk of chunks) await append(chunk);
}

/** Joins short texts and splits long ones. A surrogate pair stays together. */
function* chunksOf(texts: Iterable<string>): Generator<string> {
  let pending = '';
  for (const text of texts) {
    if (pending.length + text.length <= chunkLength) {
      pending += text;
      continue;
    }
    if (pending !== '') yield pending;
    let at = 0;
    while (text.length - at > chunkLength) {
      const last = text.charCodeAt(at + chunkLength - 1);
      const end = at + chunkLength + (last >= 0xd800 && last < 0xdc00 ? 1 : 0);
      yield text.slice(at, end);
      at = end;
    }
    pending = text.slice(at);
  }
  if (pending !== '') yield pending;
}
