import type { StateTable } from '../../state/tables/state-table.ts';

/** A text that may stand in a comment of one line. */
export function inComment(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}._-]/gu, '_');
}

/** How an operator with `errors` continues after an error; undefined for one without. */
export type Caught = { readonly index: number; readonly value: string; readonly skip: string } | undefined;

/** Lines that call a function and name its result. */
export function assigned(name: string, call: string, caught: Caught): string[] {
  if (caught === undefined) return [`const ${name} = ${call};`];
  const { index, value, skip } = caught;
  return [
    `let ${name};`,
    `try { ${name} = ${call}; } catch (error) {`,
    `${name} = trace.reject(${index}, i, error, ${value});`,
    `if (${name} === skipped) ${skip}`,
    '}',
  ];
}

/** The cell of a key. What one that is older than the last snapshot has now may have to be kept before it changes. */
export function cellOf(index: number, cells: string, { access }: Pick<StateTable, 'access'>): string {
  const [cell, key] = [`c${index}`, `k${index}`];
  const found = `${cells}.front.get(${key});`;
  if (access === 'missing') return `${found} if (${cell} === undefined) ${cell} = ${cells}.recall(${key});`;
  if (access !== 'outdated') return found;
  return `${found} if (${cell} !== undefined && ${cell}.version !== ${cells}.version) ${cell} = ${cells}.recall(${key});`;
}

/** The line that refuses a promise, without a call that V8 might not inline. */
export function refusing(value: string, refuse: string): string {
  return `if (typeof ${value} === 'object' && ${value} !== null && typeof ${value}.then === 'function') ${refuse};`;
}

/** Lines that make the updated result of an aggregate. */
export function updating(index: number, callResult: string): string[] {
  return [`const v${index} = ${callResult};`, refusing(`v${index}`, `refuseRecord('aggregate', v${index})`)];
}

/**
 * Lines that note the value at which they fail. In a `try` of their own, because a variable that outlives them would keep
 * V8 from leaving the record out where nobody keeps it.
 */
export function noting(value: string, lines: readonly string[]): string[] {
  return ['try {', ...lines, '} catch (error) {', `trace.failedWith(${value});`, 'throw error;', '}'];
}

/**
 * Lines that fold a record into an accumulator without a cell. If it has just got one, the next batch has another loop.
 * The accumulator is called `a…` from then on.
 */
export function foldingObject(
  index: number,
  value: string,
  calls: { readonly keyOf: string; readonly create: string; readonly addTo: (accumulator: string) => string },
): string[] {
  const [key, found, cell, next] = [`k${index}`, `a${index}`, `c${index}`, `n${index}`];
  const refuse = refusing(next, `refuseAccumulator(${next})`);
  return [
    `const r${index} = ${value};`,
    `const ${key} = ${calls.keyOf};`,
    `let ${found} = objects${index}.get(${key});`,
    `if (${found} === undefined) {`,
    `checkKey(${key}, 'aggregate');`,
    `const ${cell} = cells${index}.access === 'cells' ? cells${index}.peek(${key}) : undefined;`,
    `const ${next} = ${cell} === undefined ? ${calls.create} : ${calls.addTo(`${cell}.accumulator`)};`,
    refuse,
    `cells${index}.put(${key}, ${found} = ${next});`,
    '} else {',
    `const ${next} = ${calls.addTo(found)};`,
    // The same object was checked when it came.
    `if (${next} !== ${found}) {`,
    refuse,
    `cells${index}.replace(${key}, ${found} = ${next});`,
    '}',
    '}',
  ];
}
