import { parseSync } from '@swc/core';
import { transformSync } from 'esbuild';
import { functionTypes } from './function-types.ts';

/** A function of a source file. */
export interface SourceFunction {
  /**
   * `JobRun.observe`, `regionActions.recordState`; an anonymous function is named by the call that gets it:
   * `start.map()`.
   */
  readonly name: string;
  /** Its first and last character in the instrumented code. */
  readonly start: number;
  readonly end: number;
}

/** A source file with code that reports each function entry. */
export interface InstrumentedFile {
  readonly code: string;
  readonly functions: readonly SourceFunction[];
}

/**
 * The global on which instrumented code calls `enter(file, function)`, and at its end `declare(file, url, functions,
 * lineStarts)`.
 */
export const walkGlobal = 'kintsugiWalk';

/**
 * A TypeScript file whose functions report that they are entered: functions, arrow functions, methods, accessors and
 * explicit constructors. Code resumed after `await` or `yield` enters nothing, and neither do field initializers.
 */
export function instrument(source: string, file: string): InstrumentedFile {
  // Without comments and in ASCII, so byte offsets equal character offsets.
  const plain = { charset: 'ascii', minifyWhitespace: true, legalComments: 'none' } as const;
  const { code } = transformSync(source, { loader: 'ts', format: 'esm', target: 'node20.19', ...plain });
  const found = findFunctions(code);
  const inserted = insertions(found, file);
  let told = '';
  let from = 0;
  for (const { at, text } of inserted) {
    told += code.slice(from, at) + text;
    from = at;
  }
  told += code.slice(from);
  return { code: told, functions: found.map((one) => moved(one, inserted)) };
}

/** A function at its position in the instrumented code. */
function moved({ name, start, end }: FoundFunction, inserted: readonly Insertion[]): SourceFunction {
  let before = 0;
  let within = 0;
  for (const { at, text, of } of inserted) {
    if (at <= start) before += text.length;
    // At the end of several functions, the text of those around this one is behind it.
    else if (at < end || (at === end && of.start >= start)) within += text.length;
  }
  return { name, start: start + before, end: end + before + within };
}

/** Offsets at which the lines of a text begin. */
export function lineStartsOf(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}

interface FoundFunction extends SourceFunction {
  readonly body: { readonly start: number; readonly end: number; readonly isBlock: boolean };
}

type AstNode = Readonly<Record<string, unknown>>;

/** A text that reports a function, and where it goes. */
interface Insertion {
  readonly at: number;
  readonly text: string;
  readonly of: FoundFunction;
}

/** The positions at which to report each function, in order. */
function insertions(functions: readonly FoundFunction[], file: string): Insertion[] {
  return functions
    .flatMap((of, index) => {
      const { body } = of;
      const enter = `${walkGlobal}.enter(${JSON.stringify(file)}, ${index})`;
      if (body.isBlock) return [{ at: body.start + 1, text: `${enter};`, of }];
      return [
        { at: body.start, text: `(${enter}, `, of },
        { at: body.end, text: ')', of },
      ];
    })
    .sort((a, b) => a.at - b.at);
}

/** The functions of a text, in the order in which they begin. */
function findFunctions(code: string): FoundFunction[] {
  // Offsets continue from text to text, and a file may begin with a comment: the semicolon marks its start.
  const module: unknown = parseSync(`;${code}`, { syntax: 'ecmascript', target: 'es2022' });
  const base = isNode(module) ? spanOf(module).start + 1 : 0;
  const found: FoundFunction[] = [];

  /** @param scope the enclosing functions and classes; @param names the nodes between them and this one */
  const visit = (node: unknown, scope: readonly string[], names: readonly string[]): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item, scope, names);
      return;
    }
    if (!isNode(node)) return;
    const own = ownName(node);
    const named = own === undefined ? names : [...names, own];
    const isClass = node.type === 'ClassDeclaration' || node.type === 'ClassExpression';
    const isFunction = functionTypes.has(node.type);
    const inner = isFunction || isClass ? [...scope, nameAmong(named, isClass ? 1 : 2)] : scope;
    if (isFunction) {
      const body = bodyOf(node);
      if (body !== undefined) {
        const { start, end } = spanOf(node);
        const inside = spanOf(body);
        const isBlock = code[inside.start - base] === '{';
        found.push({
          name: inner.join('.'),
          start: start - base,
          end: end - base,
          body: { start: inside.start - base, end: inside.end - base, isBlock },
        });
      }
    }
    for (const child of Object.values(node)) visit(child, inner, isFunction || isClass ? [] : named);
  };
  visit(module, [], []);
  return found.sort((a, b) => a.start - b.start);
}

/** The name that a node gives to the function in it. */
function ownName(node: AstNode): string | undefined {
  switch (node.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ClassDeclaration':
    case 'ClassExpression':
      return text(node.identifier);
    case 'VariableDeclarator':
      return text(node.id);
    case 'Constructor':
      return 'constructor';
    case 'ClassMethod':
    case 'PrivateMethod':
    case 'MethodProperty':
    case 'GetterProperty':
    case 'SetterProperty':
    case 'KeyValueProperty':
    case 'ClassProperty':
    case 'PrivateProperty':
      return text(node.key);
    case 'AssignmentExpression':
    case 'AssignmentPattern':
      return text(node.left);
    case 'CallExpression':
    case 'NewExpression': {
      const callee = text(node.callee);
      return callee === undefined ? undefined : `${callee}()`;
    }
    default:
      return undefined;
  }
}

/** The nearest names; the name of a call only if there is no other. */
function nameAmong(names: readonly string[], most: number): string {
  const own = names.filter((name) => !name.endsWith('()')).slice(-most);
  return own.length > 0 ? own.join('.') : (names.at(-1) ?? 'anonymous');
}

function text(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  switch (node.type) {
    case 'Identifier':
    case 'StringLiteral':
      return typeof node.value === 'string' ? node.value : undefined;
    case 'PrivateName':
      return typeof node.value === 'string' ? `#${node.value}` : undefined;
    case 'MemberExpression':
    case 'SuperPropExpression':
      return text(node.property);
    case 'Computed':
      return `[${text(node.expression) ?? 'computed'}]`;
    default:
      return undefined;
  }
}

function bodyOf(node: AstNode): AstNode | undefined {
  const body = node.body ?? (isNode(node.function) ? node.function.body : undefined);
  return isNode(body) ? body : undefined;
}

function spanOf(node: AstNode): { readonly start: number; readonly end: number } {
  const { span } = node;
  if (isNode(span) && typeof span.start === 'number' && typeof span.end === 'number') {
    return { start: span.start, end: span.end };
  }
  throw new Error(`A ${String(node.type)} without a place`);
}

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
