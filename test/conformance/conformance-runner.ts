import { readFileSync } from 'node:fs';
import { show } from '../../src/foreign-value.ts';
import {
  CannotRun,
  type ConformanceCase,
  fields,
  type Handler,
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

/** Reasons for deliberate deviations, by case id, by `id.field` or by `area/kind`. */
export type Deviations = ReadonlyMap<string, string>;

const errorKinds: Readonly<Record<string, string>> = {
  ILLEGAL_STATE: 'illegal-state',
  INVALID_ARGUMENT: 'invalid-argument',
};

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

/** Reads the table of `deviations.md`: rows of `| id, id.field or area/kind | reason |`. */
export function readDeviations(file: string): Deviations {
  const deviations = new Map<string, string>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, name, reason] = /^\|\s*`([^`]+)`\s*\|\s*(.+?)\s*\|\s*$/.exec(line) ?? [];
    if (name !== undefined && reason !== undefined) deviations.set(name, reason);
  }
  return deviations;
}

/**
 * Runs any case: an invalid case is skipped, an engine that throws has failed. A case with a deliberate deviation in
 * one field is skipped for it, but fails if another field differs.
 */
export async function runCase(raw: unknown, handlers: Handlers, deviations: Deviations): Promise<Outcome> {
  const { id = '(no id)', area = '(no area)', kind = 'default' } = (raw ?? {}) as Partial<ConformanceCase>;
  const outcome = (verdict: Verdict): Outcome => ({ id, area, kind, verdict });
  const skipped = (why: string): Outcome => outcome({ kind: 'skipped', why });

  const reason = deviations.get(id) ?? deviations.get(`${area}/${kind}`);
  if (reason !== undefined) return skipped(`differs on purpose: ${reason}`);
  const handler = ownEntry(ownEntry(handlers, area), kind);
  if (handler === undefined) return skipped(`kind ${area}/${kind} is not run`);
  const { given = {}, when = [], expect, generation = 'current' } = raw as Partial<ConformanceCase>;
  if (!isObject(expect) || Object.keys(expect).length === 0) return skipped('expects nothing');
  if (!isObject(given)) return skipped('`given` is no object');
  if (!Array.isArray(when) || !when.every(isObject)) return skipped('`when` is no list of steps');
  if (generation === 'proposal') return skipped('a proposal, in no release');
  const saysWhatHoldsNow = Object.keys(expect).some((field) => field.startsWith('current'));
  if (generation === 'legacy' && !saysWhatHoldsNow) return skipped('holds for an older version only');
  const { error: expectedError, ...expectedFields } = expect;
  let judges: Judges;
  try {
    judges = await handler({ id, area, kind, generation, given, when, expect });
  } catch (error) {
    if (error instanceof CannotRun) return skipped(error.message);
    const actual = errorKindOf(error) ?? String((error as Error)?.stack ?? error);
    if (actual === expectedError) return outcome(fields({ why: () => ({ kind: 'passed' }) })(expectedFields));
    return outcome({ kind: 'failed', expected: expect, actual: { error: actual } });
  }
  try {
    if (expectedError !== undefined && !Object.hasOwn(judges, 'error')) {
      return outcome({ kind: 'failed', expected: { error: expectedError }, actual: 'no error' });
    }
    return outcome(fields({ ...judges, ...differing(id, judges, deviations) })(expect));
  } catch (error) {
    if (error instanceof CannotRun) return skipped(error.message);
    throw error;
  }
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

/** A report in lines: each failure, each reason to skip (with its cases), and the totals last. */
export function report(outcomes: readonly Outcome[]): string[] {
  const lines: string[] = [];
  const skippedFor = new Map<string, string[]>();
  const sums = { passed: 0, failed: 0, skipped: 0 };
  for (const { id, verdict } of outcomes) {
    sums[verdict.kind]++;
    if (verdict.kind === 'failed') {
      lines.push(`FAILED ${id}: expected ${render(verdict.expected)}, actual ${render(verdict.actual)}`);
    } else if (verdict.kind === 'skipped') {
      skippedFor.set(verdict.why, [...(skippedFor.get(verdict.why) ?? []), id]);
    }
  }
  for (const [why, ids] of skippedFor) lines.push(`skipped ${ids.length} (${why}): ${ids.join(', ')}`);
  lines.push(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
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
