/** A block of TypeScript in a text, and the line at which it begins. */
export interface CodeBlock {
  readonly file: string;
  readonly line: number;
  readonly code: string;
}

/** The blocks of TypeScript in a text: in Markdown, or in the doc comments of a source file. */
export function codeBlocks(file: string, text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const isSource = file.endsWith('.ts');
  let block: string[] | undefined;
  let start = 0;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = isSource ? raw.replace(/^\s*\* ?/, '') : raw;
    if (block === undefined) {
      if (line.trim() !== '```ts') continue;
      block = [];
      start = index + 2;
    } else if (line.trim() === '```') {
      blocks.push({ file, line: start, code: block.join('\n') });
      block = undefined;
    } else block.push(line);
  }
  return blocks;
}
