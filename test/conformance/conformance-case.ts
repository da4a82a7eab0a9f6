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
  /** For a reason that is written down. */
  | { readonly kind: 'skipped'; readonly why: string }
  /** It has a word that the handler does not know. Nothing is judged without it. */
  | { readonly kind: 'refused'; readonly why: string };

/** Judges the expectation for one field. */
export type Judge = (expected: unknown) => Verdict;

/** A judge for each field of `expect` that a handler knows. A case with another field is refused. */
export type Judges = Readonly<Record<string, Judge>>;

/** Runs a case, at once or on virtual time. */
export type Handler = (given: ConformanceCase) => Judges | Promise<Judges>;

/** Thrown if a case has a word that a handler does not know: the case is refused, with this reason. */
export class CannotRun extends Error {}

/** Thrown for a word about which we differ on purpose. The list of deviations says why, at `area/kind#word`. */
export class DiffersOnPurpose extends Error {
  readonly word: string;

  constructor(word: string) {
    super(`we differ in ${word}`);
    this.word = word;
  }
}

/** The words that a handler reads: fields of `given`, and by operation, or of every step, the other fields of a step. */
export interface Known {
  readonly given: readonly string[];
  readonly ops?: Readonly<Record<string, readonly string[]>>;
  readonly steps?: readonly string[];
}

/** A handler that refuses a case with an unknown field or operation, because ignoring one could falsify the verdict. */
export function knowing({ given: fieldsOfGiven, ops, steps = [] }: Known, handler: Handler): Handler {
  return (conformanceCase) => {
    const { given, when } = conformanceCase;
    onlyKnown(given, fieldsOfGiven, 'given');
    for (const step of when) {
      const op = String(step['op']);
      const known = ops === undefined ? steps : Object.hasOwn(ops, op) ? ops[op] : undefined;
      if (known === undefined) throw new CannotRun(`operation ${JSON.stringify(step['op'])} is not known`);
      onlyKnown(step, ops === undefined ? known : ['op', ...known], 'step');
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

/** The value is one of several. */
export function oneOf(actual: unknown): Judge {
  return (expected) =>
    Array.isArray(expected) && expected.includes(actual) ? { kind: 'passed' } : { kind: 'failed', expected, actual };
}

/** Judges a list that is aligned with the steps of the case; `null` asserts nothing. */
export function perStep(judges: readonly Judge[]): Judge {
  return (expected) => {
    if (!Array.isArray(expected)) return { kind: 'refused', why: 'a list with one entry per step was expected' };
    if (expected.length !== judges.length) {
      return { kind: 'refused', why: `${expected.length} entries for ${judges.length} steps` };
    }
    if (expected.every((entry) => entry === null)) return { kind: 'refused', why: 'expects nothing of any step' };
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

/** Judges the fields of an object; one without a judge is refused by name. */
export function fields(judges: Judges): Judge {
  return (expected) => {
    if (typeof expected !== 'object' || expected === null) {
      return { kind: 'refused', why: `${JSON.stringify(expected)} is no object` };
    }
    return worst(
      Object.entries(expected).map(([field, value]): Verdict => {
        const judge = Object.hasOwn(judges, field) ? judges[field] : undefined;
        if (judge === undefined) return { kind: 'refused', why: `\`${field}\` is not known to the handler` };
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
      ? { kind: 'refused', why: 'expects nothing' }
      : fields(judges)(expected);
}

/** For explanatory fields without a checkable assertion. */
export const prose: Judge = () => ({ kind: 'passed' });

/** A failure before a refusal, that before a skip, a skip before a pass. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  const worse = (['failed', 'refused', 'skipped'] as const).flatMap(
    (bad) => verdicts.find(({ kind }) => kind === bad) ?? [],
  );
  return worse[0] ?? { kind: 'passed' };
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
