import type { TextSink } from '../../src/cli/command-io.ts';
import { widthOf } from '../../src/cli/progress/text-width.ts';

const escape = String.fromCharCode(27);
const tokens = new RegExp(`${escape}\\[\\d*[A-Za-z]|\\r|\\n|[^${escape}\\r\\n]+`, 'gu');
const commandToken = new RegExp(`^${escape}\\[(\\d*)([A-Za-z])$`, 'u');

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A terminal that understands what the progress view uses: it keeps what is on the screen, and how often it was told. */
export class Terminal implements TextSink {
  readonly isTTY = true;
  columns: number;
  rows: number;
  writes = 0;
  /** Each line as wrapped on the screen. */
  #lines: string[] = [''];
  #row = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.writes++;
    for (const [token] of text.matchAll(tokens)) {
      const command = commandToken.exec(token);
      if (command !== null) this.#obey(command[2] as string, Number(command[1] === '' ? 1 : command[1]));
      else if (token === '\n') this.#moveTo(this.#row + 1);
      else if (token === '\r') this.#column = 0;
      else this.#print(token);
    }
  }

  /** The lines with something on them. */
  get screen(): string[] {
    return this.#lines.map((line) => line.trimEnd()).filter((line) => line !== '');
  }

  #column = 0;

  #moveTo(row: number): void {
    this.#row = row;
    this.#column = 0;
    while (this.#lines.length <= row) this.#lines.push('');
  }

  #print(text: string): void {
    for (const { segment } of graphemes.segment(text)) {
      if (this.#column + widthOf(segment) > this.columns) this.#moveTo(this.#row + 1);
      const line = this.#lines[this.#row] as string;
      if (this.#column === 0) this.#lines[this.#row] = segment;
      else this.#lines[this.#row] = `${cut(line, this.#column)}${segment}`;
      this.#column += widthOf(segment);
    }
  }

  #obey(name: string, count: number): void {
    if (name === 'A') this.#row = Math.max(0, this.#row - count);
    else if (name === 'K') this.#lines[this.#row] = cut(this.#lines[this.#row] as string, this.#column);
    else if (name === 'J') {
      this.#lines.length = this.#row + 1;
      this.#lines[this.#row] = cut(this.#lines[this.#row] as string, this.#column);
    } else if (name !== 'm') throw new Error(`Unknown command ${name}`);
  }
}

/** The beginning of a line, up to a column. */
function cut(line: string, columns: number): string {
  let [kept, width] = ['', 0];
  for (const { segment } of graphemes.segment(line)) {
    if (width >= columns) break;
    kept += segment;
    width += widthOf(segment);
  }
  return kept;
}
