import { UnrecoverableError } from '../../src/errors/job-errors.ts';
import { CannotRun, type ConformanceCase, onlyKnown } from './conformance-case.ts';
import { givenVertices, listOf, textOf } from './given-graph.ts';

type Given = ConformanceCase['given'];

export const defaultDelayMs = 1_000;

/** A finished result that is only read: expressed as the failure, and the answers, that lead to it. */
export function asFailure(
  given: Given,
  when: ConformanceCase['when'],
): { given: Given; when: ConformanceCase['when'] } {
  onlyKnown(given, ['result'], 'given');
  if (when.length !== 1 || when[0]?.['op'] !== 'read')
    throw new CannotRun(`step ${JSON.stringify(when[0])} is not known`);
  onlyKnown(when[0], ['op'], 'step');
  const { result } = given;
  if (typeof result !== 'object' || result === null) throw new CannotRun('given result is no object');
  const known = ['kind', 'failedExecution', 'vertices', 'delayMs', 'global', 'newAttempt', 'labels'];
  onlyKnown({ ...result }, known, 'result');
  const {
    kind,
    failedExecution,
    vertices,
    delayMs: backoffMs = defaultDelayMs,
    global: isGlobal = failedExecution === null,
    newAttempt,
    labels,
  } = result as Record<string, unknown>;
  if (typeof isGlobal !== 'boolean') throw new CannotRun('result global is no boolean');
  if (kind !== 'restartable' && kind !== 'unrecoverable') throw new CannotRun(`result ${textOf(kind)} is not known`);
  return {
    given: {
      backoff: { stub: true, canRestart: kind === 'restartable', backoffMs, newAttempt },
      ...(vertices === undefined ? {} : { failoverStrategy: { stubRestarts: vertices } }),
      ...(failedExecution === null ? { topologyVertices: ['t0'] } : {}),
      ...(labels === undefined ? {} : { enricherLabels: labels }),
    },
    when: [failedExecution === null ? { globalFailure: 'plain' } : { taskFailure: failedExecution, cause: 'plain' }],
  };
}

export function verticesOf(given: Given, when: ConformanceCase['when'], stubbed: readonly string[]) {
  if (given['vertices'] !== undefined) return givenVertices(given['vertices']);
  const failing = when.flatMap((step) => ('taskFailure' in step ? [textOf(step['taskFailure'])] : []));
  const names = [
    ...new Set([...listOf<string>(given['topologyVertices'] ?? [], 'topologyVertices'), ...stubbed, ...failing]),
  ];
  if (names.length === 0) throw new CannotRun('a job without vertices is not known');
  return names.map((id) => ({ id: bare(id), parallelism: 1 }));
}

export function stubOf(strategy: unknown): readonly string[] | undefined {
  if (strategy === undefined) return undefined;
  if (typeof strategy !== 'object' || strategy === null) throw new CannotRun('given failoverStrategy is no object');
  onlyKnown({ ...strategy }, ['stubRestarts'], 'failoverStrategy');
  return listOf<string>((strategy as Record<string, unknown>)['stubRestarts'], 'stubRestarts');
}

/** The answers of the backoff of a case. */
export interface GivenBackoff {
  readonly canRestart: boolean;
  readonly backoffMs: number;
  /** `scripted`: each failure of the case says it. Otherwise it is what the steps do not say. */
  readonly newAttempt: boolean | 'scripted';
}

/** A stub with its answers, or a backoff that always restarts after some delay. */
export function backoffOf({ backoff, restartDelayMs = defaultDelayMs }: Given): GivenBackoff {
  if (typeof restartDelayMs !== 'number') throw new CannotRun('given restartDelayMs is no number');
  if (backoff === undefined) return { canRestart: true, backoffMs: restartDelayMs, newAttempt: true };
  if (typeof backoff !== 'object' || backoff === null) throw new CannotRun('given backoff is no object');
  onlyKnown({ ...backoff }, ['stub', 'scripted', 'canRestart', 'backoffMs', 'newAttempt'], 'backoff');
  const answers = backoff as Record<string, unknown>;
  const { stub = true, scripted = false, canRestart = true, backoffMs = restartDelayMs } = answers;
  const { newAttempt = scripted === true ? 'scripted' : true } = answers;
  const isAttempt = typeof newAttempt === 'boolean' || newAttempt === 'scripted';
  if (typeof canRestart !== 'boolean' || typeof backoffMs !== 'number' || !isAttempt || stub !== true) {
    throw new CannotRun(`backoff ${JSON.stringify(backoff)} is not known`);
  }
  return { canRestart, backoffMs, newAttempt };
}

/** `plain`, `any`, `suppress-restarts`, a bare name (`E`, `E1`), or one of these `nested` in another error. */
export function causeNamed(cause: unknown): Error {
  if (typeof cause === 'object' && cause !== null) {
    onlyKnown({ ...cause }, ['nested'], 'cause');
    return new Error('outer', { cause: causeNamed((cause as Record<string, unknown>)['nested']) });
  }
  if (cause === 'suppress-restarts') return new UnrecoverableError('no restart cures it');
  if (cause === 'plain' || cause === 'any') return new Error('plain');
  if (typeof cause === 'string' && /^E\w*$/.test(cause)) return new Error(cause);
  throw new CannotRun(`cause ${JSON.stringify(cause)} is not known`);
}

/** `t0` is the only subtask of a vertex. */
export function taskOf(name: unknown): string {
  const text = textOf(name);
  return text.endsWith(']') ? text : `${text}[0]`;
}

export function bare(task: string): string {
  return task.replace(/\[0\]$/, '');
}
