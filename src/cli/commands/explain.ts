import { type DurableExplainOptions, explain } from '../../api/explain/explain.ts';
import type { Job } from '../../api/job.ts';
import type { JobRunOptions } from '../../run/run-options.ts';
import { defineCommand } from '../command.ts';
import type { CommandIo } from '../command-io.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { jobGiven, jobOptions, runOptionsGiven } from '../job-options.ts';
import { jsonLine } from '../progress/json-view.ts';

const name = 'explain';

/** `kintsugi explain` */
export const explainCommand = defineCommand({
  name,
  operands: ['job.ts', '[task]'],
  about: 'say how a job would run, and what restarts if a task fails',
  details: `With a task (map[2]), a vertex or an operator: only what restarts if it fails.
With --state: also what a run with that directory would take over, run and pay. Nothing is changed.`,
  options: { ...jobOptions, json: { type: 'boolean', about: 'as one JSON object' } },
  async run({ values, operands: [file, task] }, io) {
    const job = await jobGiven(file as string, values, io, name);
    return explainGiven(job, await runOptionsGiven(values, name), { json: values.json === true, task }, io);
  },
});

/** Explains a job as a run with these options would have it. */
export async function explainGiven(
  job: Job,
  {
    stateDirectory,
    resume,
    rerun,
    failoverStrategy,
  }: Pick<JobRunOptions, 'stateDirectory' | 'resume' | 'rerun' | 'failoverStrategy'>,
  { json, task }: { readonly json: boolean; readonly task?: string | undefined },
  io: CommandIo,
): Promise<ExitCode> {
  const failoverRule = typeof failoverStrategy === 'function' ? failoverStrategy : undefined;
  if (failoverStrategy !== undefined && failoverRule === undefined) {
    io.stderr.write('The strategy is a machine, which only a run can ask: the default rule explains instead\n');
  }
  if (task !== undefined || stateDirectory === undefined) {
    const explanation = explain(job, { failoverRule });
    const asked = task === undefined ? explanation : explanation.whatRestarts(task);
    io.stdout.write(json ? jsonLine(asked) : `${asked.toString()}\n`);
    return exitCodes.done;
  }
  const options: DurableExplainOptions = { failoverRule, stateDirectory, resume, rerun };
  const explanation = await explain(job, options);
  io.stdout.write(json ? jsonLine(explanation) : `${explanation.toString()}\n`);
  return explanation.resume.refusal === undefined ? exitCodes.done : exitCodes.failed;
}
