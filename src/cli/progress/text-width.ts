import { stripVTControlCharacters } from 'node:util';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Printable ASCII: one column each. */
const narrow = /^[\x20-\x7e]*$/;
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u{3000}-\u{303e}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}]/u;
const halfWidth = /^[\u{ff61}-\u{ffdc}]/u;
/** Marks and formats that are drawn over what precedes them, or not at all. */
const invisible = /^[\p{Mark}\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}]+$/u;

/** The columns that a text takes on a terminal. East Asian letters and emoji take two. */
export function widthOf(text: string): number {
  if (narrow.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** `text` in at most `width` columns; what is cut off is marked by `…`. */
export function cutToWidth(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width <= 0) return '';
  let kept = '';
  let left = width - 1;
  for (const { segment } of graphemes.segment(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** `text`, with spaces up to `width` columns. */
export function padToWidth(text: string, width: number, side: 'left' | 'right' = 'right'): string {
  const spaces = ' '.repeat(Math.max(0, width - widthOf(text)));
  return side === 'right' ? text + spaces : spaces + text;
}

/** A text from outside, without characters that move the cursor or command the terminal. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\t\n\P{Cc}]/gu, '');
}

function graphemeWidth(grapheme: string): number {
  if (invisible.test(grapheme)) return 0;
  if (halfWidth.test(grapheme)) return 1;
  return wide.test(grapheme) || grapheme.includes('\ufe0f') ? 2 : 1;
}
