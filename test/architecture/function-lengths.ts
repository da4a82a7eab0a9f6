import { functionTypes } from '../../bench/walk/function-types.ts';
import { childrenOf, type SyntaxNode, textOf } from './syntax-node.ts';

/** A function, method or constructor, from its first line to its last, including nested ones. */
export interface FunctionLength {
  /** Its name; `(line 12)` for an anonymous one. */
  readonly name: string;
  readonly lineCount: number;
}

/** The length of each function in a file, in the order of their first lines. */
export function functionLengths(module: SyntaxNode, source: string): readonly FunctionLength[] {
  const lineAt = lineCounter(source);
  const lengths: FunctionLength[] = [];
  const visit = (node: SyntaxNode, givenName: string): void => {
    const name = nameOf(node) || givenName;
    if (functionTypes.has(node.type) && node.span !== undefined) {
      const first = lineAt(node.span.start);
      lengths.push({ name: name || `(line ${first})`, lineCount: lineAt(node.span.end - 1) - first + 1 });
    }
    for (const [, child] of childrenOf(node)) visit(child, namesItsValue.has(node.type) ? name : '');
  };
  visit(module, '');
  return lengths;
}

const namesItsValue = new Set(['VariableDeclarator', 'KeyValueProperty', 'ClassProperty', 'PrivateProperty']);

function nameOf(node: SyntaxNode): string {
  if (node.type === 'Constructor') return 'constructor';
  const key = node['identifier'] ?? node['id'] ?? node['key'];
  return textOf(key) || textOf((key as { readonly id?: unknown } | undefined)?.id);
}

/** Line of a byte, both from 1. */
function lineCounter(source: string): (byte: number) => number {
  const starts = [0];
  const bytes = Buffer.from(source);
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
  return (byte) => {
    let line = starts.length;
    while (line > 1 && (starts[line - 1] as number) > byte - 1) line -= 1;
    return line;
  };
}
