import { childrenOf, parseModule, type SyntaxNode, textOf } from './syntax-node.ts';

/** The ids of the invariants in the doc comments of a file, listed as `- RP1 A reader …` or `E1 A task's …`. */
export function invariantsIn(source: string): readonly string[] {
  return [...source.matchAll(/^\s*\* (?:- )?([A-Z]{1,2}\d+) (?=[A-Z`])/gm)].map(([, id]) => id as string);
}

/** The ids in the titles of a file's tests that run: also those in table rows, but not skipped ones. */
export function invariantsTested(source: string): ReadonlySet<string> {
  const module = parseModule(source);
  const variables = new Map<string, SyntaxNode>();
  const ids = new Set<string>();
  const visit = (node: SyntaxNode): void => {
    // A pattern has no name, and neither has a table that is written in place.
    if (node.type === 'VariableDeclarator' && textOf(node['id']) !== '')
      variables.set(textOf(node['id']), node['init'] as SyntaxNode);
    if (node.type === 'CallExpression')
      for (const text of titlesOf(node, variables)) for (const id of idsIn(text)) ids.add(id);
    for (const [, child] of childrenOf(node)) visit(child);
  };
  visit(module);
  return ids;
}

/** The title of a call of `it`, `test` or `describe`, and the texts that may replace its placeholders. */
function titlesOf(call: SyntaxNode, variables: ReadonlyMap<string, SyntaxNode>): readonly string[] {
  const callee = calleeOf(call, variables);
  const table = callee.type === 'CallExpression' && isTestFunction(callee['callee']) ? argumentOf(callee) : undefined;
  if (table === undefined && (!isTestFunction(callee) || textOf(callee['property']) === 'each')) return [];
  const title = argumentOf(call);
  if (title === undefined) return [];
  const texts = textsIn(title);
  if (table === undefined || !texts.some((text) => /[$%]/.test(text))) return texts;
  return [...texts, ...textsIn(variables.get(textOf(table)) ?? table)];
}

/** The called function; for `const whileOpen = kind.isOpen ? it : it.skip`, the one that runs. */
function calleeOf(call: SyntaxNode, variables: ReadonlyMap<string, SyntaxNode>): SyntaxNode {
  const callee = call['callee'] as SyntaxNode;
  const choice = variables.get(textOf(callee));
  if (choice?.type !== 'ConditionalExpression') return callee;
  const branches = [choice['consequent'], choice['alternate']] as readonly SyntaxNode[];
  return branches.find(isTestFunction) ?? callee;
}

/** `it`, `test.each`, `describe.only`; not `it.skip`, which does not run. */
function isTestFunction(callee: unknown): boolean {
  const { type, object, property } = callee as SyntaxNode;
  if (type === 'MemberExpression') return textOf(property) !== 'skip' && isTestFunction(object);
  return ['it', 'test', 'describe'].includes(textOf(callee));
}

function argumentOf(call: SyntaxNode): SyntaxNode | undefined {
  const [first] = call['arguments'] as readonly { readonly expression: SyntaxNode }[];
  return first?.expression;
}

/** Every text in a part of the syntax tree. */
function textsIn(node: SyntaxNode): readonly string[] {
  const own =
    node.type === 'StringLiteral' ? [textOf(node)] : node.type === 'TemplateElement' ? [String(node['raw'])] : [];
  return [...own, ...[...childrenOf(node)].flatMap(([, child]) => textsIn(child))];
}

/** `R2, R6: …` names two, `X1–X3` three. */
function idsIn(text: string): readonly string[] {
  return [...text.matchAll(/\b([A-Z]{1,2})(\d+)(?:–\1(\d+))?\b/g)].flatMap(([, letters, first, last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${letters}${Number(first) + index}`),
  );
}
