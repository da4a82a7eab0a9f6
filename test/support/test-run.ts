import type { AttemptNumber, RunId } from '../../src/ids.ts';
import type { RuntimeContext } from '../../src/operators/runtime-context.ts';
import { TaskContext } from '../../src/operators/task/task-context.ts';
import type { Environment } from '../../src/environment.ts';
import { OutputClaims } from '../../src/partitions/claims/output-claims.ts';

/** A run as its tasks see it. */
export interface TestRun extends Pick<RuntimeContext, 'run'> {
  readonly outputs: OutputClaims;
  /** Releases its claims. */
  end(): void;
}

let runs = 0;

/** A new run. */
export function testRun(): TestRun {
  const run = `${++runs}`.padStart(16, '0') as RunId;
  const outputs = new OutputClaims(run, 'test');
  return { run, outputs, end: () => outputs.release() };
}

/** The context of the only task of a vertex `step`, in a new run. */
export function testContext(environment: Environment): TaskContext {
  return new TaskContext({
    ...testRun(),
    job: 'job',
    vertex: 'step',
    subtask: 0,
    parallelism: 1,
    attempt: 0 as AttemptNumber,
    environment,
  });
}
