import { isDeepStrictEqual } from 'node:util';

/** One fact about recovery, as it stands in a file of the catalogue. Unknown fields are kept. */
export interface ConformanceCase {
  readonly id: string;
  readonly area: string;
  readonly kind?: string;
  readonly generation?: string;
  readonly given: Readonly<Record<string, unknown>>;
  readonly when: readonly Readonly<Record<string, unknown>>[];
  readonly expect: Readonly<Record<string, unknown>>;
}

/** The result for one expected field. */
export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly expected: unknown; readonly actual: unknown }
  | { readonly kind: 'skipped'; readonly why: string };

/** Judges the expectation for one field. */
export type Judge = (expected: unknown) => Verdict;

/** A judge for each field of `expect` that a handler knows. Fields without one are skipped by name. */
export type Judges = Readonly<Record<string, Judge>>;

/** Runs a case, at once or on virtual time. */
export type Handler = (given: ConformanceCase) => Judges | Promise<Judges>;

/** Thrown if a case needs something that a handler does not know: the case counts as skipped, with this reason. */
export class CannotRun extends Error {}

/**
 * The fields and operations that a handler reads: fields of `given`, operations (undefined: steps have none), other
 * fields of steps.
 */
export interface Known {
  readonly given: readonly string[];
  readonly ops?: readonly string[];
  readonly steps?: readonly string[];
}

/** A handler that runs no case with an unknown field or operation, because ignoring one could falsify the verdict. */
export function knowing({ given: fieldsOfGiven, ops, steps = [] }: Known, handler: Handler): Handler {
  return (conformanceCase) => {
    const { given, when } = conformanceCase;
    onlyKnown(given, fieldsOfGiven, 'given');
    for (const step of when) {
      onlyKnown(step, ops === undefined ? steps : ['op', ...steps], 'step');
      if (ops !== undefined && !ops.includes(step['op'] as string)) {
        throw new CannotRun(`operation ${JSON.stringify(step['op'])} is not known`);
      }
    }
    return handler(conformanceCase);
  };
}

/** @throws CannotRun with the fields of an object that are not among the known ones */
export function onlyKnown(object: Readonly<Record<string, unknown>>, known: readonly string[], where: string): void {
  const unknown = Object.keys(object).filter((field) => !known.includes(field));
  if (unknown.length > 0) throw new CannotRun(`${where} ${unknown.join(', ')} is not known`);
}

/** The value equals the expected one. */
export function equals(actual: unknown): Judge {
  return (expected) =>
    isDeepStrictEqual(actual, expected) ? { kind: 'passed' } : { kind: 'failed', expected, actual };
}

/** Like {@link equals}, after both sides were normalized, for values without an order. */
export function equalsAs(normalize: (value: never) => unknown, actual: unknown): Judge {
  return (expected) => {
    const verdict = equals(normalize(actual as never))(normalize(expected as never));
    return verdict.kind === 'failed' ? { kind: 'failed', expected, actual } : verdict;
  };
}

/** Judges a list that is aligned with the steps of the case; `null` asserts nothing. */
export function perStep(judges: readonly Judge[]): Judge {
  return (expected) => {
    if (!Array.isArray(expected)) return { kind: 'skipped', why: 'a list with one entry per step was expected' };
    if (expected.length !== judges.length) {
      return { kind: 'skipped', why: `${expected.length} entries for ${judges.length} steps` };
    }
    if (expected.every((entry) => entry === null)) return { kind: 'skipped', why: 'expects nothing of any step' };
    const verdicts = expected.map(
      (entry, step): Verdict => (entry === null ? { kind: 'passed' } : (judges[step] as Judge)(entry)),
    );
    return worst(
      verdicts.map((verdict, step) =>
        verdict.kind === 'failed'
          ? { ...verdict, expected: { step, is: verdict.expected }, actual: { step, is: verdict.actual } }
          : verdict,
      ),
    );
  };
}

/** Judges the fields of an object; a field without a judge is skipped by name. */
export function fields(judges: Judges): Judge {
  return (expected) => {
    if (typeof expected !== 'object' || expected === null) {
      return { kind: 'skipped', why: `${JSON.stringify(expected)} is no object` };
    }
    return worst(
      Object.entries(expected).map(([field, value]): Verdict => {
        const judge = Object.hasOwn(judges, field) ? judges[field] : undefined;
        if (judge === undefined) return { kind: 'skipped', why: `\`${field}\` is not known to the handler` };
        const verdict = judge(value);
        return verdict.kind === 'failed'
          ? { kind: 'failed', expected: { [field]: verdict.expected }, actual: { [field]: verdict.actual } }
          : verdict;
      }),
    );
  };
}

/** Like {@link fields}, for an object that must have at least one field. */
export function someFields(judges: Judges): Judge {
  return (expected) =>
    typeof expected === 'object' && expected !== null && Object.keys(expected).length === 0
      ? { kind: 'skipped', why: 'expects nothing' }
      : fields(judges)(expected);
}

/** For explanatory fields without a checkable assertion. */
export const prose: Judge = () => ({ kind: 'passed' });

/** A failure before a skip, a skip before a pass. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return (
    verdicts.find(({ kind }) => kind === 'failed') ??
    verdicts.find(({ kind }) => kind === 'skipped') ?? { kind: 'passed' }
  );
}

/** A set of names, whatever their order. */
export function sorted(names: readonly string[]): string[] {
  if (!Array.isArray(names)) throw new CannotRun(`${JSON.stringify(names)} is no list of names`);
  return [...names].sort();
}

/** A set of sets of names, whatever their order. */
export function sortedSets(sets: readonly (readonly string[])[]): string[] {
  if (!Array.isArray(sets)) throw new CannotRun(`${JSON.stringify(sets)} is no list of lists`);
  return sets.map((set) => sorted(set).join(' ')).sort();
}

/** A multiset of numbers. */
export function sortedNumbers(numbers: readonly number[]): number[] {
  if (!Array.isArray(numbers)) throw new CannotRun(`${JSON.stringify(numbers)} is no list of numbers`);
  return [...numbers].sort((a, b) => a - b);
}
