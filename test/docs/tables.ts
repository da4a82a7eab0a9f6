import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The rows of every table of a page of `docs`, without heads; a cell without its ticks. */
export function tableRows(page: string): string[][] {
  const text = readFileSync(join(__dirname, '..', '..', 'docs', page), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .slice(2, -1)
        .split(/ ?(?<!\\)\| ?/)
        .map((cell) => cell.trim()),
    );
}

/** What is in ticks in a cell. */
export function ticked(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]*)`/g)].map(([, text]) => text as string);
}
