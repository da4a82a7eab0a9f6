import { readFileSync } from 'node:fs';
import { show } from '../../src/foreign-value.ts';
import {
  CannotRun,
  type ConformanceCase,
  DiffersOnPurpose,
  fields,
  type Handler,
  type Judge,
  type Judges,
  type Verdict,
} from './conformance-case.ts';

/** The outcome of a case. */
export interface Outcome {
  readonly id: string;
  readonly area: string;
  readonly kind: string;
  readonly verdict: Verdict;
}

/** Handlers by area and kind; a case without a kind is of the kind `default`. */
export type Handlers = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

/** Reasons for deliberate deviations, by case id, by `id.field`, by `area/kind` or by `area/kind#word`. */
export type Deviations = ReadonlyMap<string, string>;

const errorKinds: Readonly<Record<string, string>> = {
  ILLEGAL_STATE: 'illegal-state',
  INVALID_ARGUMENT: 'invalid-argument',
};

/** Of which size the vertices of a case are, if it says so. */
const levels: readonly unknown[] = [undefined, 'job', 'execution', 'generated', 'logical', 'pattern', 'digraph'];

/** The beginning of the reason that skips a case which ran and differs in a field. */
export const differsIn = 'differs on purpose in';

/** The catalogue's name of an error, or undefined. */
export function errorKindOf(error: unknown): string | undefined {
  return errorKinds[String((error as { code?: unknown } | null)?.code)];
}

/** Reads the cases of a file. @throws if it is not a JSON array. */
export function readCases(file: string): unknown[] {
  const cases: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!Array.isArray(cases)) throw new Error(`${file} holds no array of cases`);
  return cases;
}

/** Reads the table of `deviations.md`: rows of `| id, id.field, area/kind or area/kind#word | reason |`. */
export function readDeviations(file: string): Deviations {
  const deviations = new Map<string, string>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, name, reason] = /^\|\s*`([^`]+)`\s*\|\s*(.+?)\s*\|\s*$/.exec(line) ?? [];
    if (name !== undefined && reason !== undefined) deviations.set(name, reason);
  }
  return deviations;
}

/**
 * Runs any case: one that is invalid or has an unknown word is refused, an engine that throws has failed. A case with a
 * deliberate deviation in one field is skipped for it, but fails if another field differs.
 */
export async function runCase(raw: unknown, handlers: Handlers, deviations: Deviations): Promise<Outcome> {
  const { id = '(no id)', area = '(no area)', kind = 'default' } = (raw ?? {}) as Partial<ConformanceCase>;
  const outcome = (verdict: Verdict): Outcome => ({ id, area, kind, verdict });
  const skipped = (why: string): Outcome => outcome({ kind: 'skipped', why });
  const refused = (why: string): Outcome => outcome({ kind: 'refused', why });

  const reason = deviations.get(id) ?? deviations.get(`${area}/${kind}`);
  if (reason !== undefined) return skipped(`differs on purpose: ${reason}`);
  const handler = ownEntry(ownEntry(handlers, area), kind);
  if (handler === undefined) return skipped(`kind ${area}/${kind} is not run`);
  const { given = {}, when = [], expect, generation = 'current' } = raw as Partial<ConformanceCase>;
  if (!isObject(expect) || Object.keys(expect).length === 0) return refused('expects nothing');
  if (!isObject(given)) return refused('`given` is no object');
  if (!Array.isArray(when) || !when.every(isObject)) return refused('`when` is no list of steps');
  if (!levels.includes(given['level'])) return refused(`level ${JSON.stringify(given['level'])} is not known`);
  if (generation === 'proposal') return skipped('a proposal, in no release');
  const saysWhatHoldsNow = Object.keys(expect).some((field) => field.startsWith('current'));
  if (generation === 'legacy' && !saysWhatHoldsNow) return skipped('holds for an older version only');
  const { error: expectedError, ...expectedFields } = expect;
  let judges: Judges;
  try {
    judges = await handler({ id, area, kind, generation, given, when, expect });
  } catch (error) {
    if (error instanceof CannotRun) return refused(error.message);
    if (error instanceof DiffersOnPurpose)
      return outcome(reasonFor(error, 'differs on purpose with', `${area}/${kind}`, deviations));
    const actual = errorKindOf(error) ?? String((error as Error)?.stack ?? error);
    if (actual === expectedError) return outcome(fields({ why: () => ({ kind: 'passed' }) })(expectedFields));
    return outcome({ kind: 'failed', expected: expect, actual: { error: actual } });
  }
  try {
    if (expectedError !== undefined && !Object.hasOwn(judges, 'error')) {
      return outcome({ kind: 'failed', expected: { error: expectedError }, actual: 'no error' });
    }
    return outcome(
      fields({ ...judging(judges, `${area}/${kind}`, deviations), ...differing(id, judges, deviations) })(expect),
    );
  } catch (error) {
    if (error instanceof CannotRun) return refused(error.message);
    throw error;
  }
}

function reasonFor({ word }: DiffersOnPurpose, how: string, kind: string, deviations: Deviations): Verdict {
  const reason = deviations.get(`${kind}#${word}`);
  return reason === undefined
    ? { kind: 'refused', why: `${kind}#${word} is not in the list of deviations` }
    : { kind: 'skipped', why: `${how} \`${word}\`: ${reason}` };
}

/** Judges that differ on purpose in a word skip for its reason. */
function judging(judges: Judges, kind: string, deviations: Deviations): Judges {
  const guarded =
    (judge: Judge): Judge =>
    (expected) => {
      try {
        return judge(expected);
      } catch (error) {
        if (error instanceof DiffersOnPurpose) return reasonFor(error, differsIn, kind, deviations);
        throw error;
      }
    };
  return Object.fromEntries(Object.entries(judges).map(([field, judge]) => [field, guarded(judge)]));
}

/** For the deliberate deviations of a case. */
function differing(id: string, judges: Judges, deviations: Deviations): Judges {
  return Object.fromEntries(
    Object.keys(judges).flatMap((field) => {
      const reason = deviations.get(`${id}.${field}`);
      const why = `${differsIn} \`${field}\`: ${reason}`;
      return reason === undefined ? [] : [[field, (): Verdict => ({ kind: 'skipped', why })]];
    }),
  );
}

/**
 * A report in lines: each failure, each case with an unknown word, each reason to skip (with its cases), and the totals
 * last.
 */
export function report(outcomes: readonly Outcome[]): string[] {
  const lines: string[] = [];
  const skippedFor = new Map<string, string[]>();
  const sums = { passed: 0, failed: 0, refused: 0, skipped: 0 };
  for (const { id, verdict } of outcomes) {
    sums[verdict.kind]++;
    if (verdict.kind === 'failed') {
      lines.push(`FAILED ${id}: expected ${render(verdict.expected)}, actual ${render(verdict.actual)}`);
    } else if (verdict.kind === 'refused') {
      lines.push(`REFUSED ${id}: ${verdict.why}`);
    } else if (verdict.kind === 'skipped') {
      skippedFor.set(verdict.why, [...(skippedFor.get(verdict.why) ?? []), id]);
    }
  }
  for (const [why, ids] of skippedFor) lines.push(`skipped ${ids.length} (${why}): ${ids.join(', ')}`);
  const refused = sums.refused === 0 ? '' : `, ${sums.refused} refused`;
  lines.push(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped${refused}`);
  return lines;
}

function render(value: unknown): string {
  return JSON.stringify(value) ?? show(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function ownEntry<Value>(table: Readonly<Record<string, Value>> | undefined, key: string): Value | undefined {
  return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}
