import { isDeepStrictEqual } from 'node:util';
import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { cutToFit } from '../../foreign-value.ts';
import type { PartIdentity, PartsIdentity } from '../../journal/identity/job-identity.ts';
import type { KeyDeclaration, StepDeclaration, VersionOptions } from './step-declaration.ts';
import { hashOfText, hashOfValue } from './value-hash.ts';

/** Longest option that is stored, and shown, as it is. */
const longestOption = 120;

/** The identity of a function: its version, or else the hash of its source text. */
function functionIdentity(fn: unknown, { version }: VersionOptions = {}): PartIdentity {
  if (version !== undefined) return { kind: 'version', version };
  const text = sourceTextOf(fn);
  if (text !== undefined) return { kind: 'text', hash: hashOfText(text) };
  return { kind: 'unknown', why: 'has no source text, because it is native or bound: give it a version' };
}

/** The identities of the parts of a step. */
export function stepParts(step: StepDeclaration): PartsIdentity {
  const { functions = {}, options = {}, opaque = {}, records, key, inputs, version } = step;
  const parts = new Map<string, PartIdentity>(key && Object.entries(keyParts(key)));
  const versionOr = (identify: () => PartIdentity): PartIdentity =>
    version === undefined ? identify() : { kind: 'version', version };
  if (inputs !== undefined) parts.set('inputs', inputsIdentity(inputs));
  if (records !== undefined)
    parts.set(
      'records',
      versionOr(() => recordsIdentity(records)),
    );
  for (const [name, why] of Object.entries(opaque))
    parts.set(
      name,
      versionOr(() => ({ kind: 'unknown', why })),
    );
  for (const [name, fn] of Object.entries(functions)) {
    if (fn !== undefined) parts.set(name, functionIdentity(fn, step));
  }
  for (const [name, value] of Object.entries(options)) {
    // No part hides another, whatever a connector calls its options.
    if (value !== undefined) parts.set(parts.has(name) ? `option ${name}` : name, optionIdentity(value));
  }
  return Object.fromEntries(parts);
}

/** The identities of a key function and its inputs. */
export function keyParts(key: KeyDeclaration): PartsIdentity {
  const { keyOf, inputs } = key;
  return {
    key: functionIdentity(keyOf, key),
    ...(inputs !== undefined && { 'inputs of key': inputsIdentity(inputs) }),
  };
}

function optionIdentity(value: unknown): PartIdentity {
  const text = jsonOf(value);
  if (text !== undefined && text.length <= longestOption) return { kind: 'option', value: text };
  return orUnknown(() => ({ kind: 'data', hash: hashOfValue(value) }));
}

/** A value as JSON, if JSON preserves it. */
function jsonOf(value: unknown): string | undefined {
  try {
    const text = JSON.stringify(value);
    return isDeepStrictEqual(JSON.parse(text), value) ? text : undefined;
  } catch {
    return undefined;
  }
}

function recordsIdentity(records: readonly unknown[]): PartIdentity {
  return orUnknown(
    () => ({ kind: 'data', hash: hashOfValue(records), size: records.length }),
    ': give the source a version',
  );
}

/** Values by their hash; functions among them count by their source text. */
function inputsIdentity(inputs: readonly unknown[]): PartIdentity {
  return orUnknown(() => ({ kind: 'data', hash: hashOfText(inputs.map(hashOfInput).join()), size: inputs.length }));
}

function hashOfInput(input: unknown, index: number): string {
  if (typeof input !== 'function') return hashOfValue(input);
  const text = sourceTextOf(input);
  if (text === undefined) throw new RecordNotSerializableError(`$[${index}]`, 'a native or bound function');
  return `f${hashOfText(text)}`;
}

/** The identity that `identify` finds, unless a value is not plain data. */
function orUnknown(identify: () => PartIdentity, remedy = ''): PartIdentity {
  try {
    return identify();
  } catch (error) {
    if (!(error instanceof RecordNotSerializableError)) throw error;
    const found = `${cutToFit(error.path, 200)} is ${cutToFit(error.found, 200)}`;
    return { kind: 'unknown', why: `cannot be compared, because ${found}${remedy}` };
  }
}

/** The source text of a function; undefined for one without: native, bound, or behind a proxy. */
function sourceTextOf(fn: unknown): string | undefined {
  const text = Function.prototype.toString.call(fn);
  return /\{\s*\[native code\]\s*\}$/.test(text) ? undefined : text;
}
