import { CannotRun, type ConformanceCase, type Handler } from './conformance-case.ts';

/** Whether a value makes sense. */
type Sense = (value: unknown) => boolean;

const number: Sense = (value) => typeof value === 'number';
const flag: Sense = (value) => typeof value === 'boolean';
const words =
  (...known: readonly unknown[]): Sense =>
  (value) =>
    known.includes(value);
const either =
  (...senses: readonly Sense[]): Sense =>
  (value) =>
    senses.some((sense) => sense(value));
const listOf =
  (sense: Sense): Sense =>
  (value) =>
    Array.isArray(value) && value.every(sense);
const objectOf =
  (senses: Readonly<Record<string, Sense>>): Sense =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([field, inner]) => senses[field]?.(inner) === true);

const name: Sense = (value) => typeof value === 'string' && /^[a-z]\w*(\[\d+\])?$/i.test(value);
const statesByName: Sense = (value) =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).every(
    ([task, state]) => name(task) && words('RUNNING', 'FINISHED', 'inactive at first, RUNNING when triggered')(state),
  );

const kinds = words('checkpoint', 'savepoint');

/** What makes sense for each field of `given` in any case about checkpoints. */
const givenFields: Readonly<Record<string, Sense>> = {
  tasks: listOf(name),
  ackTasks: listOf(name),
  trackedTasks: listOf(name),
  vertices: listOf(objectOf({ id: name, parallelism: either(number, words('same')) })),
  taskStates: statesByName,
  finished: listOf(name),
  regions: listOf(listOf(name)),
  completed: either(number, listOf(number)),
  masterHooks: number,
  allowAfterTasksFinished: flag,
  maxConcurrent: either(number, words('inf', 'random 1..n')),
  maxQueued: number,
  retained: number,
  tolerableConsecutiveFailures: either(number, words('n')),
  intervalMs: either(number, words('i')),
  minPauseMs: either(number, words('max', 'very long')),
  lastCompletionAgoMs: either(number, words(null)),
  pending: number,
  cleaning: number,
  triggeringInProgress: flag,
  idCounter: words('first call fails', 'fails with an I/O error'),
  storage: words('fails to initialize the location'),
  periodicRunning: flag,
  checkpointing: words(true),
  store: words('adding fails'),
  jobStatus: words('RUNNING', 'FINISHED'),
};

/** And for each field of a step. */
const stepFields: Readonly<Record<string, Sense>> = {
  op: (value) => typeof value === 'string',
  request: objectOf({ type: kinds, forced: flag, periodic: flag, id: name }),
  type: kinds,
  times: number,
  error: words('io-exception'),
  periodic: flag,
  at: either(number, (value) => typeof value === 'string' && /^T(\+\d+\+?)?$/.test(value)),
  checkpoint: either(number, words('unknown', 'unassigned')),
  checkpoints: listOf(number),
  task: either(name, words('unknown task')),
  report: name,
  state: name,
  job: words('same', 'other'),
  cause: words('failureManagerThrows'),
  count: either(number, words('many')),
  pending: either(number, words('maxConcurrent')),
  cleaning: number,
  triggeringInProgress: flag,
  lastCompletionAgoMs: either(number, words(null)),
  reason: words('job-failover-region'),
  jobStatus: words('RUNNING', 'FAILED', 'RESTARTING', 'INITIALIZING', 'FINISHED'),
  advanceRestartDelay: words(true),
  newParallelism: (value) => typeof value === 'object',
  success: number,
  failure: (value) => typeof value === 'string',
  regionFailover: listOf(name),
  globalFailover: words(true),
};

/** A handler that refuses a case with a value that makes no sense. */
export function sensible(handler: Handler): Handler {
  return (conformanceCase: ConformanceCase) => {
    const { given, when } = conformanceCase;
    refuse(given, givenFields, 'given');
    for (const step of when) refuse(step, stepFields, 'step');
    return handler(conformanceCase);
  };
}

function refuse(
  object: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Sense>>,
  where: string,
): void {
  for (const [field, value] of Object.entries(object)) {
    if (!Object.hasOwn(fields, field)) throw new CannotRun(`${where} ${field} is not known`);
    if (fields[field]?.(value) !== true) {
      throw new CannotRun(`${where} ${field}: ${JSON.stringify(value)} is not known`);
    }
  }
}
