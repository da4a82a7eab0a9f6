import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { hasMethods, ignoreRejection, propertyOf } from '../foreign-value.ts';
import type { Job } from './job.ts';
import { noteOrigin } from './job-origin.ts';

/** Parameters of a job, as text: `kintsugi run job.ts --param city=Oslo` gives `{ city: 'Oslo' }`. */
export type JobParams<Name extends string = string> = { readonly [Each in Name]?: string | undefined };

/** In a defined job: its definition. Registered, so that a job module may use another copy of the library. */
const definitionKey = Symbol.for('kintsugi.definedJob');

/** A job that a program which loads its module can make: the command line, or a worker thread. */
export interface DefinedJob<Name extends string = string> {
  /**
   * Makes the job.
   * @throws InvalidArgumentError unless the parameters are texts, and the definition returns a job
   */
  (params?: JobParams<Name>): Job;
}

/**
 * Defines the job of a module, which exports it as its default: `kintsugi run job.ts` loads the module and runs the job.
 *
 * @param definition makes the job from parameters; or a job that takes none
 *
 * @example
 * ```ts
 * import { csvFile, defineJob, Job, toJsonLinesFile } from 'kintsugi';
 *
 * export default defineJob<'from'>(({ from = 'OSL' }) => {
 *   const job = Job.create('flights');
 *   job
 *     .source('flights', csvFile('flights.csv'))
 *     .filter((flight) => flight['origin'] === from)
 *     .sink('kept', toJsonLinesFile(`from-${from}.jsonl`));
 *   return job;
 * });
 * ```
 *
 * @throws InvalidArgumentError unless it is given a function or a job
 */
export function defineJob<Name extends string = string>(
  definition: Job | ((params: JobParams<Name>) => Job),
): DefinedJob<Name> {
  if (typeof definition !== 'function' && !isJob(definition)) {
    throw new InvalidArgumentError('definition of defineJob', definition, 'a function that returns a job, or a job');
  }
  const defined = (params: JobParams<Name> = {}): Job => makeJob(defined, params);
  const define = typeof definition === 'function' ? definition : () => definition;
  return Object.defineProperty(defined, definitionKey, { value: define });
}

/** Whether a value is what {@link defineJob} returns, of any copy of the library. */
export function isDefinedJob(value: unknown): value is DefinedJob {
  return typeof propertyOf(value, definitionKey) === 'function';
}

/** Whether a value is a job, of any copy of the library. */
export function isJob(value: unknown): value is Job {
  return hasMethods(value, 'run', 'source') && Array.isArray(propertyOf(value, 'steps'));
}

/**
 * Makes a defined job.
 *
 * @param noteRead called with the name of each parameter that the definition reads, given or not
 * @throws InvalidArgumentError unless the parameters are texts, and the definition returns a job
 */
export function makeJob(
  defined: (params: never) => Job,
  params: JobParams,
  noteRead: (name: string) => void = () => {},
): Job {
  checkParams(params);
  const watched = new Proxy(Object.freeze({ ...params }), {
    get: (given, name) => {
      if (typeof name === 'string') noteRead(name);
      return Object.hasOwn(given, name) ? given[name as string] : undefined;
    },
  });
  const define = propertyOf(defined, definitionKey) as (params: JobParams) => unknown;
  const job = define(watched);
  if (isJob(job)) {
    noteOrigin(job, { params });
    return job;
  }
  ignoreRejection(job);
  throw new InvalidArgumentError(
    'result of the definition of defineJob',
    job,
    'the job itself (end the function with `return job`; what it awaits goes before defineJob, at the top of the module)',
  );
}

/** @throws InvalidArgumentError unless the parameters are texts by name */
export function checkParams(params: unknown): asserts params is JobParams {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    throw new InvalidArgumentError('parameters of the job', params, 'an object of texts by name');
  }
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && typeof value !== 'string') {
      throw new InvalidArgumentError(`parameter ${name} of the job`, value, 'a text');
    }
  }
}
