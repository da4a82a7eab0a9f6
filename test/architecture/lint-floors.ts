import { environmentModules, type Part, partByFolder, partByName, partByRootFile } from './floors.ts';

interface ImportPattern {
  readonly regex: string;
  readonly message: string;
  readonly allowTypeImports?: true;
}

/** The override in the linter's configuration that reports in the editor what the floors test reports later. */
export interface FloorOverride {
  readonly files: readonly string[];
  readonly rules: {
    readonly 'no-restricted-imports': readonly ['error', { readonly patterns: readonly ImportPattern[] }];
  };
}

/** One override for each part with restricted imports. */
export function floorOverrides(): FloorOverride[] {
  return Object.entries(partByName).map(([name, part]) => ({
    files: filesOf(name),
    rules: { 'no-restricted-imports': ['error', { patterns: patternsOf(name, part) }] },
  }));
}

function filesOf(name: string): string[] {
  const { rootFiles, folders } = placesOf(name);
  return [...rootFiles.map((file) => `src/${file}`), ...folders.map((folder) => `src/${folder}/**`)];
}

/** The location of a part's files in `src/`. */
function placesOf(name: string): { readonly rootFiles: readonly string[]; readonly folders: readonly string[] } {
  const rootFiles = Object.keys(partByRootFile).filter((file) => partByRootFile[file] === name);
  const folders = Object.keys(partByFolder).filter((folder) => partByFolder[folder] === name);
  return { rootFiles, folders: rootFiles.length > 0 ? folders : [name, ...folders] };
}

function patternsOf(name: string, part: Part): ImportPattern[] {
  const others = Object.keys(partByName).filter((other) => other !== name);
  const forbidden = others.filter((other) => !part.imports.includes(other));
  const { byTypeAlone = [] } = part;
  const patterns: ImportPattern[] = [];
  if (forbidden.length > 0) {
    patterns.push({ regex: pathsInto(forbidden), message: `${name} must not know this part: imports go down only.` });
  }
  if (byTypeAlone.length > 0) {
    const message = `${name} knows this part by \`import type\` alone.`;
    patterns.push({ regex: pathsInto(byTypeAlone), message, allowTypeImports: true });
  }
  const libraries = [...(part.xstate ? [] : ['xstate']), ...(part.rxjs ? [] : ['rxjs'])];
  if (libraries.length > 0) {
    patterns.push({ regex: `^(${libraries.join('|')})(/|$)`, message: `${name} must not know this library.` });
  }
  if (part.isPure) patterns.push({ regex: '^node:', message: `${name} is pure.` });
  else {
    patterns.push({ regex: `^(${environmentModules.join('|')})$`, message: 'Timers come from Environment.' });
  }
  return patterns;
}

/** Relative specifiers that lead into one of `parts`. */
function pathsInto(parts: readonly string[]): string {
  const targets = parts.flatMap((name) => {
    const { rootFiles, folders } = placesOf(name);
    const files = rootFiles.map((file) => file.replace('.', '\\.'));
    return [...(files.length > 0 ? [`(${files.join('|')})$`] : []), ...folders.map((folder) => `${folder}/`)];
  });
  return `^(\\./|(\\.\\./)+)(${targets.join('|')})`;
}
