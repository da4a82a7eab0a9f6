import type { PartIdentity, PartsIdentity } from './job-identity.ts';

/** The differences between the parts of a step or key and those of an earlier run. */
export interface PartDifferences {
  /** Readable: `the function of "fix" changed`. */
  readonly changes: readonly string[];
  /** Parts that neither run could identify. */
  readonly unknown: readonly { readonly name: string; readonly reason: string }[];
}

/** Compares the parts of a step or key. `of` names it: `"fix"`. */
export function partDifferences(of: string, before: PartsIdentity, now: PartsIdentity): PartDifferences {
  const changes = new Set<string>();
  const unknown: PartDifferences['unknown'][number][] = [];
  for (const name of new Set([...Object.keys(now), ...Object.keys(before)])) {
    const [earlier, current] = [partOf(before, name), partOf(now, name)];
    if (current?.kind === 'unknown') {
      const reason = `${nameOfPart(name, of)} ${current.why}`;
      if (earlier?.kind === 'unknown') unknown.push({ name, reason });
      else changes.add(reason);
      continue;
    }
    const change = changeOf(name, of, earlier, current);
    if (change !== undefined) changes.add(change);
  }
  return { changes: [...changes], unknown };
}

function partOf(parts: PartsIdentity, name: string): PartIdentity | undefined {
  return Object.hasOwn(parts, name) ? parts[name] : undefined;
}

function changeOf(
  name: string,
  of: string,
  before: PartIdentity | undefined,
  now: PartIdentity | undefined,
): string | undefined {
  const what = nameOfPart(name, of);
  const [is, was] = /^(?:inputs|records)\b/.test(name) ? ['are', 'were'] : ['is', 'was'];
  if (now === undefined) return `${what} ${was} removed`;
  if (before === undefined) {
    return now.kind === 'option' ? `${what} was not given, is ${now.value}` : `${what} ${is} new`;
  }
  if (before.kind === 'unknown') return `${what} could not be compared in the earlier run`;
  if (now.kind === 'version') {
    if (before.kind !== 'version') return `the version of ${of} is new: ${show(now.version)}`;
    if (before.version === now.version) return undefined;
    return `the version of ${of} was ${show(before.version)}, is ${show(now.version)}`;
  }
  if (before.kind === 'version') return `the version of ${of} was removed`;
  if (before.kind === 'option' && now.kind === 'option') {
    return before.value === now.value ? undefined : `${what} was ${before.value}, is ${now.value}`;
  }
  const isSame = before.kind === now.kind && 'hash' in before && 'hash' in now && before.hash === now.hash;
  return isSame ? undefined : `${what} changed${sizes(before, now)}`;
}

/** The numbers of values, if they differ. */
function sizes(before: PartIdentity, now: PartIdentity): string {
  const [earlier, current] = [before, now].map((part) => (part.kind === 'data' ? part.size : undefined));
  if (earlier === undefined || current === undefined || earlier === current) return '';
  return `: there were ${earlier}, there are ${current}`;
}

/** `the function of "fix"`, `delimiter of "orders"`. */
function nameOfPart(name: string, of: string): string {
  if (name === 'key') return `the key function of ${of}`;
  return ['function', 'inputs', 'records', 'destination'].includes(name) ? `the ${name} of ${of}` : `${name} of ${of}`;
}

function show(version: string | number): string {
  return JSON.stringify(version);
}
