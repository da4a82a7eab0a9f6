import { parseSync } from '@swc/core';

/** A node of a syntax tree. Its span counts bytes from 1. */
export type SyntaxNode = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly span?: { readonly start: number; readonly end: number };
};

/** The syntax tree of a TypeScript file. */
export function parseModule(source: string, { tsx = false } = {}): SyntaxNode {
  return parseSync(source, { syntax: 'typescript', tsx, target: 'es2022' }) as unknown as SyntaxNode;
}

/** The direct children of `node`, each with its role. */
export function* childrenOf(node: object): Generator<readonly [role: string, child: SyntaxNode]> {
  for (const [role, value] of Object.entries(node)) {
    for (const item of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (isNode(item)) yield [role, item];
      // Arguments, array elements and the functions of methods are wrapped in objects that are not nodes.
      else if (typeof item === 'object' && item !== null) {
        for (const [innerRole, child] of childrenOf(item)) yield [innerRole === 'expression' ? role : innerRole, child];
      }
    }
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** The name or text of an identifier or string; empty for any other node. */
export function textOf(node: unknown): string {
  if (!isNode(node)) return '';
  const text = node.type === 'Computed' ? textOf(node['expression']) : node['value'];
  return typeof text === 'string' ? text : '';
}
