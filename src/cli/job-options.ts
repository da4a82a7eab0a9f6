import { loadJob } from '../api/job-module.ts';
import type { JobParams } from '../api/define-job.ts';
import type { Job } from '../api/job.ts';
import { nearestName } from '../nearest-name.ts';
import type { JobRunOptions, ResumePolicy } from '../run/run-options.ts';
import { CommandLineError, type Given } from './command.ts';
import { colorsOf, type CommandIo } from './command-io.ts';
import { failoverStrategyOf } from './failover-strategies.ts';

/** The options of commands that load a job. */
export const jobOptions = {
  param: { type: 'string', multiple: true, value: 'NAME=VALUE', about: 'a parameter of the job' },
  state: {
    type: 'string',
    value: 'DIR',
    about: 'continue from this directory, and keep there what the next run needs',
  },
  resume: { type: 'string', value: 'POLICY', about: 'whether to continue: auto (default), require or never' },
  rerun: { type: 'boolean', about: 'run everything again although nothing has changed' },
  strategy: {
    type: 'string',
    value: 'NAME',
    about: 'restartPipelinedRegion, restartIndividual, restartAll, or a module',
  },
} as const;

type JobValues = Given<typeof jobOptions>['values'];

/**
 * Loads the job of a module with the given parameters, and warns of those that it does not read.
 * @throws CommandLineError | JobModuleError | what the definition throws (as a rejection)
 */
export async function jobGiven(file: string, values: JobValues, io: CommandIo, command: string): Promise<Job> {
  const { job, isForeign, unreadParams, readParams } = await loadJob(file, paramsOf(values.param ?? [], command));
  const warn = (text: string): unknown => io.stderr.write(`${colorsOf(io.stderr, io.env).yellow(text)}\n`);
  if (isForeign) {
    warn('The job and this command use two copies of kintsugi: start the command of its project (npx kintsugi)');
  }
  for (const name of unreadParams) {
    const near = nearestName(name, readParams);
    const hint =
      near !== undefined
        ? `did you mean ${near}?`
        : readParams.length > 0
          ? `it reads ${readParams.join(', ')}`
          : 'it reads none';
    warn(`The job has not read the parameter ${name}: ${hint}`);
  }
  return job;
}

/** The run options that were given. */
export async function runOptionsGiven(
  { state, resume, rerun, strategy }: JobValues,
  command: string,
): Promise<Pick<JobRunOptions, 'stateDirectory' | 'resume' | 'rerun' | 'failoverStrategy'>> {
  if (state === undefined && (rerun === true || resume === 'require')) {
    throw new CommandLineError(`${rerun === true ? '--rerun' : '--resume require'} needs --state DIR`, command);
  }
  return {
    stateDirectory: state,
    resume: resume as ResumePolicy | undefined,
    rerun,
    failoverStrategy: strategy === undefined ? undefined : await failoverStrategyOf(strategy, command),
  };
}

function paramsOf(given: readonly string[], command: string): JobParams {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new CommandLineError(`--param ${text}: expected NAME=VALUE`, command);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
