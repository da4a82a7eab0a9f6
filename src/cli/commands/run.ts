import { explain } from '../../api/explain/explain.ts';
import { isStateDirectory } from '../../run/durable/state-contents.ts';
import type { JobRun } from '../../run/job-run.ts';
import type { Quarantine } from '../../failover/quarantine.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { InspectOptions } from '../../inspector/index.ts';
import type { InspectorServer } from '../../inspector/server/inspector-server.ts';
import { checkpointOptions, checkpointsGiven, type LastSavepoint } from '../checkpoint-options.ts';
import { CommandLineError, defineCommand } from '../command.ts';
import { colorsOf, type CommandIo, isRedrawable } from '../command-io.ts';
import { errorReport, exitCodeOf } from '../error-report.ts';
import { type CancelSignal, type ExitCode, exitCodes } from '../exit-code.ts';
import { executorOptions, executorsGiven } from '../executor-options.ts';
import { jobGiven, jobOptions, runOptionsGiven } from '../job-options.ts';
import { JsonView, jsonLine } from '../progress/json-view.ts';
import { LiveView } from '../progress/live-view.ts';
import { PlainView } from '../progress/plain-view.ts';
import type { RunView, ViewedRun } from '../progress/run-view.ts';
import { explainGiven } from './explain.ts';

const name = 'run';

/** `kintsugi run` */
export const runCommand = defineCommand({
  name,
  operands: ['job.ts'],
  about: 'run the job of a module',
  details: `The module exports its job: export default defineJob((params) => job).
Progress, failures and the receipt go to stderr, so that a job may write to stdout.
Ctrl-C cancels the job and waits until its files are closed; again, it ends the process at once.
Exit codes: 0 finished, 1 failed, 2 nothing to run, 3 in use by another run, 4 finished with regions quarantined,
130 canceled by Ctrl-C.`,
  options: {
    ...jobOptions,
    ...executorOptions,
    ...checkpointOptions,
    quarantine: {
      type: 'string',
      value: 'FAILURES/MS',
      about: 'set a region aside that fails so often within MS (3/60000), and go on without it',
    },
    'dry-run': { type: 'boolean', about: 'only say what would run, and what it would take over from --state' },
    record: { type: 'string', value: 'FILE', about: 'record the run, for kintsugi inspect FILE' },
    inspect: { type: 'boolean', about: 'show the run in the inspector: prints a link to open in a browser' },
    port: { type: 'string', value: 'PORT', about: 'with --inspect: the port; default: one that is free' },
    'keep-open': { type: 'boolean', about: 'with --inspect: keep the inspector open after the end, until Ctrl-C' },
    json: { type: 'boolean', about: 'events, progress and the end as lines of JSON on stdout' },
  },
  async run({ values, operands }, io) {
    // Before the module runs: it may take long.
    const quarantine = quarantineGiven(values.quarantine);
    const executors = executorsGiven(values, name);
    const checkpoints = checkpointsGiven(values, name);
    const job = await jobGiven(operands[0] as string, values, io, name);
    const options = { ...(await runOptionsGiven(values, name)), ...checkpoints.options, quarantine };
    if (values['dry-run'] === true) return explainGiven(job, options, { json: values.json === true }, io);
    const { vertices } = explain(job);
    const inspect = inspectOptionsOf(values);
    // Before the run: where its inspector cannot be opened, nothing has run.
    const inspector = inspect && (await opened(inspect));
    const run = job.run({ ...options, ...executors, record: values.record });
    const viewed = { run, vertices, clock: io.environment.clock };
    const isJson = values.json === true;
    const view = isJson ? new JsonView(viewed, io.stdout) : viewOf(viewed, io);
    inspector?.add(run);
    const { savepoint } = checkpoints;
    const asked = {
      json: isJson,
      state: values.state,
      savepoint,
      link: inspector?.url,
      keepOpen: inspect?.keepOpen === true,
    };
    return await shown({ run, view, asked }, io);
  },
});

interface Asked {
  readonly json: boolean;
  readonly state: string | undefined;
  /** What is taken when the job is told to stop. */
  readonly savepoint: LastSavepoint | undefined;
  /** The link to the inspector, and whether it stays open. */
  readonly link: string | undefined;
  readonly keepOpen: boolean;
}

interface ShownRun {
  readonly run: JobRun;
  readonly view: RunView;
  readonly asked: Asked;
}

/** `3/60000` */
function quarantineGiven(given: string | undefined): Quarantine | undefined {
  if (given === undefined) return undefined;
  const [, afterFailures, withinMs] = /^(\d+)\/(\d+)$/.exec(given) ?? [];
  if (Number(afterFailures) > 0 && Number(withinMs) > 0) {
    return { afterFailures: Number(afterFailures), withinMs: Number(withinMs) };
  }
  throw new CommandLineError(`--quarantine ${given}: expected FAILURES/MS, for example 3/60000`, name);
}

function inspectOptionsOf(values: {
  readonly inspect?: boolean | undefined;
  readonly port?: string | undefined;
  readonly 'keep-open'?: boolean | undefined;
}): InspectOptions | undefined {
  const { inspect, port, 'keep-open': keepOpen } = values;
  if (inspect === true) return { port: port === undefined ? undefined : Number(port), keepOpen };
  if (port === undefined && keepOpen !== true) return undefined;
  throw new CommandLineError(`${port === undefined ? '--keep-open' : '--port'} needs --inspect`, name);
}

/** @throws InvalidArgumentError | PortInUseError (as a rejection) */
async function opened(options: InspectOptions): Promise<InspectorServer> {
  // Loaded only for those who ask for it.
  const [{ checkInspectOptions }, server] = await Promise.all([
    import('../../inspector/server/inspector-options.ts'),
    import('../../inspector/server/inspector-server.ts'),
  ]);
  checkInspectOptions(options);
  return server.InspectorServer.open(options);
}

/** Shows a run until it has ended. */
async function shown(shownRun: ShownRun, io: CommandIo): Promise<ExitCode> {
  const { run, asked } = shownRun;
  const { failure, canceledBy } = await ended(shownRun, io);
  const code = codeOf(failure, canceledBy);
  if (asked.json)
    io.stdout.write(jsonLine({ type: 'end', status: run.status, exitCode: code, receipt: run.receipt() }));
  else io.stderr.write(`${run.receipt().toString()}\n`);
  if (failure !== undefined) reportEnd(failure, canceledBy, asked, io);
  if (asked.link !== undefined && asked.keepOpen) {
    io.stderr.write(`The inspector stays open at ${asked.link}; Ctrl-C closes it.\n`);
    await new Promise<void>((resolve) => io.onCancel(() => resolve()));
  }
  return code;
}

interface Ended {
  readonly failure: unknown;
  readonly canceledBy: CancelSignal | undefined;
}

async function ended({ run, view, asked }: ShownRun, io: CommandIo): Promise<Ended> {
  let canceledBy: CancelSignal | undefined;
  let failure: unknown;
  const events = run.events$.subscribe((event) => view.next(event));
  const stopHearing = io.onOtherWrites((text) => view.makeRoom?.(text));
  const stopListening = io.onCancel((signal) => {
    canceledBy = signal;
    stop(run, view, signal, asked.savepoint);
  });
  if (asked.link !== undefined) view.note(`Inspector: ${asked.link}`);
  try {
    await run.result;
  } catch (error) {
    failure = error;
    await run.cancel();
  } finally {
    stopListening();
    stopHearing();
    events.unsubscribe();
    view.end();
  }
  return { failure, canceledBy };
}

function stop(run: JobRun, view: RunView, signal: CancelSignal, savepoint: LastSavepoint | undefined): void {
  const atOnce = 'once more ends the process at once';
  if (savepoint === undefined) {
    void run.stop(new Error(signal));
    view.note(`${signal}: canceling, behind calls in flight and open files; ${atOnce}`);
    return;
  }
  const { directory, drain } = savepoint;
  view.note(`${signal}: ${drain ? 'draining' : 'stopping'} with a savepoint in ${directory}; ${atOnce}`);
  run.stopWithSavepoint(directory, { drain }).catch((error: unknown) => {
    view.note(`No savepoint, canceling without: ${toError(error).message}`);
    void run.stop(new Error(signal));
  });
}

function viewOf(viewed: ViewedRun, { stderr, env }: CommandIo): RunView {
  return isRedrawable(stderr, env)
    ? new LiveView(viewed, stderr, colorsOf(stderr, env))
    : new PlainView(viewed, stderr);
}

function codeOf(failure: unknown, canceledBy: CancelSignal | undefined): ExitCode {
  if (failure === undefined) return exitCodes.done;
  return canceledBy === undefined ? exitCodeOf(failure) : exitCodes[canceledBy];
}

function reportEnd(failure: unknown, canceledBy: CancelSignal | undefined, { state }: Asked, io: CommandIo): void {
  const colors = colorsOf(io.stderr, io.env);
  const again = whatAgainDoes(state);
  if (canceledBy !== undefined) {
    const savepoint = propertyOf(failure, 'savepoint');
    const next = typeof savepoint === 'string' ? `--from-savepoint ${savepoint} continues it.` : again;
    io.stderr.write(`${colors.yellow(`Canceled by ${canceledBy}.`)} ${next}\n`);
    return;
  }
  // Only after a failure of the job there is something to continue.
  const code = exitCodeOf(failure);
  const hasFailed = propertyOf(failure, 'code') === 'JOB_FAILED' && code === exitCodes.failed;
  const isContinued = hasFailed || code === exitCodes.incomplete;
  io.stderr.write(errorReport(failure, colors, isContinued ? again : undefined));
}

/** What running the job again does, after an end before everything has finished. */
function whatAgainDoes(state: string | undefined): string {
  if (state === undefined) {
    return 'Nothing of it is kept. With --state DIR the next run would continue where this one ended.';
  }
  return isStateDirectory(state)
    ? `Run it again, with the same command: ${state} has what had finished, and the answers that were paid for.`
    : `Nothing of it is kept: ${state} could not be used. Check the path, and who may use it.`;
}
