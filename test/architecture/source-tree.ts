import { posix } from 'node:path';
import {
  environmentGlobals,
  environmentModules,
  environmentProperties,
  exemptFromEnvironment,
  type Part,
  partByFolder,
  partByName,
  partByRootFile,
  roomsByPart,
} from './floors.ts';
import { type FunctionLength, functionLengths } from './function-lengths.ts';
import { childrenOf, isNode, parseModule, type SyntaxNode, textOf } from './syntax-node.ts';

/** Source texts by their path below `src/`, with forward slashes. */
export type SourceTree = ReadonlyMap<string, string>;

interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

/** The facts about one file that the rules need. */
interface ParsedFile {
  readonly path: string;
  readonly lineCount: number;
  readonly functions: readonly FunctionLength[];
  readonly imports: readonly Import[];
  readonly hasDefaultExport: boolean;
  /** Its uses of the machine that bypass the Environment: `Date.now`, `setTimeout`, … */
  readonly environmentUses: readonly string[];
}

/** Every violation in `tree`, one line each, in the order of the files. */
export function architectureViolations(tree: SourceTree, doors: readonly string[]): string[] {
  const files = [...tree].map(([path, source]) => parse(path, source));
  return [
    ...files.flatMap((file) => [
      ...nameViolations(file, doors),
      ...importViolations(file, tree),
      ...file.environmentUses
        .filter(() => !exemptFromEnvironment.includes(file.path))
        .map((use) => `${file.path} uses ${use}: time, chance and timers come from Environment`),
      ...(file.hasDefaultExport ? [`${file.path} has a default export`] : []),
      ...lengthViolations(file),
    ]),
    ...crowdedFolders(files),
    ...importCycles(files).map((cycle) => `These files import each other in a ring: ${cycle.join(' → ')}`),
  ];
}

const mostLinesOfFile = 350;
const mostLinesOfFunction = 60;

/** Files and functions that are too long to read at a glance. */
function lengthViolations({ path, lineCount, functions }: ParsedFile): string[] {
  const tooLong = [
    ...(lineCount > mostLinesOfFile ? [`${path} has ${lineCount} lines, more than ${mostLinesOfFile}`] : []),
    ...functions
      .filter((one) => one.lineCount > mostLinesOfFunction)
      .map((one) => `${path}: ${one.name} has ${one.lineCount} lines, more than ${mostLinesOfFunction}`),
  ];
  return tooLong.map((what) => `${what}: split it`);
}

/** Folders with too many files to see at a glance. */
function crowdedFolders(files: readonly ParsedFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > 16)
    .map(([folder, count]) => `${folder === '.' ? 'src' : folder} has ${count} files, more than 16: give it rooms`);
}

function nameViolations({ path }: ParsedFile, doors: readonly string[]): string[] {
  const name = posix.basename(path, posix.extname(path));
  if (name === 'index') return doors.includes(path) ? [] : [`${path} is no published door: import the files directly`];
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return [`${path} is not in kebab-case`];
  if (/(^|-)(utils?|helpers?|types|common|manager)$/.test(name)) return [`${path} does not say what is in it`];
  return [];
}

function partOf(path: string): [name: string, part: Part | undefined] {
  const [folder, ...rest] = path.split('/') as [string, ...string[]];
  const name = (rest.length > 0 ? partByFolder[folder] : partByRootFile[path]) ?? folder;
  return [name, partByName[name]];
}

function importViolations({ path, imports }: ParsedFile, tree: SourceTree): string[] {
  const [name, part] = partOf(path);
  if (part === undefined) return [`${path} belongs to no part: give it a floor in test/architecture/floors.ts`];
  return imports.flatMap(({ specifier, isTypeOnly }) => {
    if (!specifier.startsWith('.')) return packageViolations(path, name, part, specifier);
    const target = resolve(path, specifier);
    if (!tree.has(target)) return [`${path} imports ${specifier}, which is not in src`];
    const [targetName] = partOf(target);
    if (targetName === name) return roomViolations(name, path, target);
    if (!part.imports.includes(targetName)) return [`${path} imports ${target}: ${name} must not know ${targetName}`];
    if (!isTypeOnly && part.byTypeAlone?.includes(targetName)) {
      return [`${path} imports ${target}: ${name} knows ${targetName} by \`import type\` alone`];
    }
    return [];
  });
}

/** For an import within a part: whether a room imports another one that it must not. */
function roomViolations(part: string, path: string, target: string): string[] {
  const rooms = roomsByPart[part];
  if (rooms === undefined) return [];
  const [room, targetRoom] = [path, target].map((file) => posix.relative(part, posix.dirname(file)) || '.');
  if (room === targetRoom || rooms[room as string]?.includes(targetRoom as string)) return [];
  return [`${path} imports ${target}: in ${part}, room ${room} must not know ${targetRoom}`];
}

function packageViolations(path: string, name: string, part: Part, specifier: string): string[] {
  const library = specifier.split('/')[0];
  if ((library === 'xstate' && !part.xstate) || (library === 'rxjs' && !part.rxjs)) {
    return [`${path} imports ${specifier}: ${name} must not know ${library}`];
  }
  if (specifier.startsWith('node:')) {
    if (part.isPure) return [`${path} imports ${specifier}: ${name} is pure`];
    if (environmentModules.includes(specifier)) return [`${path} imports ${specifier}: timers come from Environment`];
  }
  return [];
}

function resolve(path: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(path), specifier));
}

/**
 * One cycle for each group of files that import each other, including type imports; the first file stands at both ends.
 */
function importCycles(files: readonly ParsedFile[]): string[][] {
  const targets = new Map(
    files.map(({ path, imports }) => [
      path,
      imports.filter(({ specifier }) => specifier.startsWith('.')).map(({ specifier }) => resolve(path, specifier)),
    ]),
  );
  const cycles: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path]);
    if (start >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const path of targets.keys()) visit(path);
  return cycles;
}

/** Extracts what the rules need from the syntax tree, so that comments and strings do not matter. */
function parse(path: string, source: string): ParsedFile {
  const imports: Import[] = [];
  const environmentUses: string[] = [];
  let hasDefaultExport = false;
  const visit = (node: SyntaxNode, role: string): void => {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration': {
        if (isNode(node['source'])) {
          const specifiers = (node['specifiers'] ?? []) as readonly { readonly isTypeOnly?: boolean }[];
          const isTypeOnly =
            node['typeOnly'] === true || (specifiers.length > 0 && specifiers.every((one) => one.isTypeOnly === true));
          imports.push({ specifier: textOf(node['source']), isTypeOnly });
        }
        return;
      }
      case 'ExportDefaultDeclaration':
      case 'ExportDefaultExpression':
        hasDefaultExport = true;
        break;
      case 'TsImportType':
        imports.push({ specifier: textOf(node['argument']), isTypeOnly: true });
        break;
      case 'CallExpression': {
        const [first] = node['arguments'] as readonly { readonly expression: SyntaxNode }[];
        if ((node['callee'] as SyntaxNode).type === 'Import' && first?.expression.type === 'StringLiteral') {
          imports.push({ specifier: textOf(first.expression), isTypeOnly: false });
        }
        break;
      }
      case 'NewExpression':
        if (textOf(node['callee']) === 'Date' && (node['arguments'] as readonly unknown[] | null)?.length === 0) {
          environmentUses.push('new Date()');
        }
        break;
      case 'MemberExpression': {
        const [object, property] = [textOf(node['object']), textOf(node['property'])];
        if (environmentProperties.some(([from, name]) => from === object && name === property)) {
          environmentUses.push(`${object}.${property}`);
        }
        if (object === 'globalThis' && environmentGlobals.includes(property)) environmentUses.push(property);
        break;
      }
      case 'Identifier':
        // `clock.setTimeout`, and `setTimeout(…) {` in a class, name a property, not the global.
        if (role !== 'property' && role !== 'key' && environmentGlobals.includes(textOf(node))) {
          environmentUses.push(textOf(node));
        }
        return;
    }
    for (const [key, child] of childrenOf(node)) visit(child, key);
  };
  const module = parseModule(source, { tsx: path.endsWith('.tsx') });
  visit(module, 'module');
  return {
    path,
    lineCount: source.split('\n').length - 1,
    functions: functionLengths(module, source),
    imports,
    hasDefaultExport,
    environmentUses,
  };
}
