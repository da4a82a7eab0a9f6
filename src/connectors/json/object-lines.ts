const openBrace = 0x7b;
const closeBrace = 0x7d;
const comma = 0x2c;
const carriageReturn = 0x0d;

/** Most characters of lines that are parsed at once: less than a millisecond of work. */
const mostChars = 64 * 1024;

/** Consecutive lines that are objects. */
export interface ObjectLines {
  readonly values: unknown[];
  /** Index of the line after them. */
  readonly end: number;
}

/** Lines to parse one by one, up to an index. */
interface SeparateLines {
  readonly values?: undefined;
  readonly end: number;
}

/**
 * Parses the lines of `text` at index `at` as one array, as far as they are JSON objects: if these have the same shape, that
 * costs a fifth less than to parse each by itself.
 *
 * A line is taken for an object if it begins with `{`, ends with `}`, and has no other `{` behind a comma. If the array
 * has as many items as lines, each line is one of them. For suppose that the text is between items where line K ends, as it
 * is where the last one does. The `}` of line K ends an item, whose `{` is the first of a line J: elsewhere, a comma would
 * precede it. So lines J to K are one item, and the text is between items before line J too. The lines therefore fall into
 * groups of one item each, and there are as many groups as lines.
 *
 * @param to lines that end behind this index are not taken
 */
export function objectLinesAt(text: string, at: number, to: number, maxLines: number): ObjectLines | SeparateLines {
  const limit = Math.min(to, at + mostChars);
  let end = at;
  let count = 0;
  let brace = text.charCodeAt(at) === openBrace ? at : -1;
  while (brace === end && count < maxLines) {
    const newline = text.indexOf('\n', end);
    const lineEnd = newline < 0 ? text.length : newline;
    if (lineEnd > limit || !endsObject(text, lineEnd)) break;
    do brace = text.indexOf('{', brace + 1);
    while (brace >= 0 && brace < lineEnd && !isBehindComma(text, brace));
    if (brace >= 0 && brace < lineEnd) break;
    end = lineEnd + 1;
    count++;
  }
  const values = count < 2 ? undefined : parseItems(text.slice(at, end - 1));
  if (values?.length === count) return { values, end };
  return { end: Math.max(end, at + 1) };
}

function parseItems(lines: string): unknown[] | undefined {
  try {
    return JSON.parse(`[${lines.split('\n').join(',')}]`) as unknown[];
  } catch {
    return undefined;
  }
}

function endsObject(text: string, lineEnd: number): boolean {
  const last = text.charCodeAt(lineEnd - 1);
  return last === closeBrace || (last === carriageReturn && text.charCodeAt(lineEnd - 2) === closeBrace);
}

/** Whether the last character before `at` that is not blank is a comma. */
function isBehindComma(text: string, at: number): boolean {
  let before = at - 1;
  while (isBlank(text.charCodeAt(before))) before--;
  return text.charCodeAt(before) === comma;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === carriageReturn;
}
