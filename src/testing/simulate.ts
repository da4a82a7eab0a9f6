import { inspect } from 'node:util';
import { planJob } from '../api/job-planner.ts';
import type { JobPlan } from '../run/job-plan.ts';
import type { JobReceipt } from '../run/job-receipt.ts';
import { runJob } from '../run/run-job.ts';
import type { JobRun } from '../run/job-run.ts';
import type { JobRunOptions } from '../run/run-options.ts';
import type { JobDefinition } from '../api/stream-graph.ts';
import { LocalDataPlane } from '../executors/local-data-plane.ts';
import type { Logger } from '../environment.ts';
import { causeWithCode } from '../errors/cause-chain.ts';
import { KintsugiError } from '../errors/kintsugi-error.ts';
import { toError } from '../errors/thrown-value.ts';
import type { LocalExecutors } from '../executors/local-executors.ts';
import type { JobVertexId } from '../ids.ts';
import { checkFunction, checkInteger, checkOptions, givenOf, type OptionNames } from '../options.ts';
import { fixedDelay } from '../failover/backoffs/fixed-delay.ts';
import { noRestart } from '../failover/backoffs/no-restart.ts';
import { restartAll } from '../failover/strategies/restart-all.ts';
import { restartIndividual } from '../failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../failover/strategies/restart-pipelined-region.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import { CapturedOutput } from './captured-output.ts';
import { faultPlan, type FaultPlace, type FaultPlan } from './fault-plan.ts';
import { JobHistory } from './job-history.ts';
import { differences } from './output-differences.ts';
import { MemorySpillStore } from './memory-spill-store.ts';
import { roughLink } from './rough-link.ts';
import { type DrawnFault, type DrawnRun, type DrawnShape, drawFaults, drawShape } from './drawn-run.ts';
import { seededRandom } from './seeded-random.ts';
import { type VirtualEnvironment, virtualEnvironment } from './virtual-environment.ts';

/** How a job is simulated. */
export interface SimulationOptions {
  /** Draws everything there is to draw: the same seed is the same run. */
  readonly seed: number;
  /** The most subtasks of operators that do not name theirs. Default 4. */
  readonly maxParallelism?: number | undefined;
  /** The most faults. Default 4. */
  readonly maxFaults?: number | undefined;
  /** Run options that are not drawn, such as a strategy of your own. What is given here is not drawn. */
  readonly options?:
    | Pick<
        JobRunOptions,
        | 'failoverStrategy'
        | 'restartBackoff'
        | 'failureClassifiers'
        | 'failureEnrichers'
        | 'decisionDeadlineMs'
        | 'batchSize'
        | 'memoryBudgetBytes'
        | 'memoryOverflow'
        | 'diskBudgetBytes'
        | 'diskOverflow'
        | 'keepResults'
        | 'slots'
        | 'executors'
      >
    | undefined;
  /** Hears of each run as it starts, to watch it: first of the undisturbed one, unless that is known. */
  readonly watch?: ((run: JobRun) => void) | undefined;
  /** Default: nothing is logged. */
  readonly logger?: Logger | undefined;
  /**
   * What of a sink's records is compared with the undisturbed run, where that is not the records themselves: the latest
   * of each key, fractions rounded, without a time stamp. Default: the records.
   */
  readonly outcome?: ((records: readonly unknown[], sink: string) => readonly unknown[]) | undefined;
}

/** What a simulated run did. */
export interface SimulationReport {
  readonly seed: number;
  /** Everything that was drawn. */
  readonly drawn: DrawnRun;
  /** Faults that were reached and fired. */
  readonly firedFaults: number;
  /** Whether it failed because the disk it was allowed was too small for it. */
  readonly isTooLarge: boolean;
  /** Whether it failed because somebody changed a file while it was read, as a run must that cannot know what it has read. */
  readonly isInputChanged: boolean;
  readonly receipt: JobReceipt;
  readonly history: JobHistory;
  /** Committed records by sink. */
  readonly output: ReadonlyMap<string, readonly unknown[]>;
}

/** A simulated run went wrong. The message holds everything that was drawn, and the call that repeats it. */
export class SimulationError extends KintsugiError {
  readonly code = 'SIMULATION_FAILED';
  readonly seed: number;
  readonly drawn: DrawnRun;
  readonly problems: readonly string[];

  constructor(job: string, drawn: DrawnRun, problems: readonly string[], options?: { cause?: unknown }) {
    const shown = inspect(drawn, { depth: 5, breakLength: 120 });
    super(
      `Job "${job}" went wrong with seed ${drawn.seed}:\n  ${problems.join('\n  ')}\ndrawn: ${shown}\n` +
        `repeat with: simulate(job, { seed: ${drawn.seed} })`,
      options,
    );
    this.seed = drawn.seed;
    this.drawn = drawn;
    this.problems = problems;
  }
}

/**
 * Runs a job on virtual time with faults, batch sizes, parallelism, mode, strategy and interleavings drawn from a seed,
 * and compares what its sinks would have written (as multisets) with a run without faults. Checks the rules of
 * {@link JobHistory} as well.
 *
 * Nothing is written: stand-ins in memory take the place of the sinks, and of the spill files. Sources are read, at least
 * twice. Functions must depend on their records alone.
 *
 * @throws SimulationError (as a rejection) when the output differs, a rule is broken, or the run does not finish.
 */
export async function simulate(job: JobDefinition, options: SimulationOptions): Promise<SimulationReport> {
  checkSimulationOptions(options);
  const { seed } = options;
  const random = seededRandom(seed);
  const undisturbed = await undisturbedOutput(job, options);
  const shape = drawShape(random, job, options);
  const captured = new CapturedOutput(shape.sinkAnswers === 'drawn' ? random.fork('answers') : undefined);
  const plan = planJob({ ...shape, name: job.name, steps: captured.inPlaceOfSinks(job.steps) });
  const faults = drawFaults(random, plan, undisturbed.recordsIn, shape, options);
  const drawn: DrawnRun = { ...shape, faults };
  const environment = virtualEnvironment({ seed, order: 'shuffled', ...loggerOf(options) });
  const spillStore = new MemorySpillStore(environment.clock, { faults: environment.faults });
  const graph = new ExecutionGraph(plan.jobGraph);
  let executors: LocalExecutors | undefined;
  const loseExecutor = (vertex: string, subtask: number): void => {
    const index = plan.jobGraph.vertexIndexById.get(vertex as JobVertexId) as number;
    const executor = executors?.executorOf(graph.vertexAt(index, subtask));
    if (executor !== undefined) executors?.kill(executor, 'it was drawn');
  };
  const firedFaults = armFaults(environment.faults, drawn.faults, spillStore.files, loseExecutor);
  const ended = await runSimulated(plan, environment, drawn, spillStore, options, (started) => {
    executors = started;
  });
  const { history, receipt, leftovers } = ended;
  // A job that needs more disk than it may take is right to fail.
  const wants = history.events.filter((event) => event.type === 'task.failed' && isWant(event.cause));
  const isTooLarge = ended.failure !== undefined && (isWant(ended.failure) || wants.length > mostRestarts / 2);
  const isInputChanged = ended.failure !== undefined && causeWithCode(ended.failure, 'INPUT_CHANGED') !== undefined;
  const failure = isTooLarge || isInputChanged ? undefined : ended.failure;
  const output = captured.records();
  const problems = [
    ...(failure === undefined ? [] : [`it failed: ${failure.message}`]),
    ...history.violations(graph, pipelinedRegions(graph)),
    ...(ended.failure === undefined ? differences(undisturbed.output, output, options.outcome) : []),
    ...leftovers,
  ];
  if (problems.length > 0) throw new SimulationError(job.name, drawn, problems, { cause: failure });
  return { seed, drawn, firedFaults: firedFaults(), isTooLarge, isInputChanged, receipt, history, output };
}

function checkSimulationOptions(given: SimulationOptions): void {
  checkOptions('simulate', given, {
    seed: true,
    maxParallelism: true,
    maxFaults: true,
    options: true,
    watch: true,
    logger: true,
    outcome: true,
  });
  const { maxParallelism, maxFaults, options, watch, outcome } = given;
  if (maxParallelism !== undefined) checkInteger('maxParallelism', maxParallelism, 1, 1 << 20);
  if (maxFaults !== undefined) checkInteger('maxFaults', maxFaults, 0, Number.MAX_SAFE_INTEGER);
  if (watch !== undefined) checkFunction('watch', watch);
  if (outcome !== undefined) checkFunction('outcome', outcome);
  if (options !== undefined) checkOptions('the options of simulate', options, runOptionNames);
}

const runOptionNames: OptionNames<NonNullable<SimulationOptions['options']>> = {
  failoverStrategy: true,
  restartBackoff: true,
  failureClassifiers: true,
  failureEnrichers: true,
  decisionDeadlineMs: true,
  batchSize: true,
  memoryBudgetBytes: true,
  memoryOverflow: true,
  diskBudgetBytes: true,
  diskOverflow: true,
  keepResults: true,
  slots: true,
  executors: true,
};

/** More than any drawn run needs that is right. */
const mostRestarts = 50;

interface Ended extends Pick<SimulationReport, 'history' | 'receipt'> {
  readonly failure: Error | undefined;
  /** What the run left behind although it had ended. */
  readonly leftovers: readonly string[];
}

async function runSimulated(
  plan: JobPlan,
  environment: VirtualEnvironment,
  drawn: DrawnShape | DrawnRun,
  spillStore: MemorySpillStore,
  { options = {}, watch }: SimulationOptions,
  started: (executors: LocalExecutors) => void = () => {},
): Promise<Ended> {
  const history = new JobHistory();
  let filesLeft: string[] = [];
  const interleaving = seededRandom(drawn.seed).fork('interleaving');
  const run = runJob(
    plan,
    {
      failoverStrategy: strategies[drawn.failoverStrategy](),
      // A job that fails by itself is told at once; more restarts than faults are a fault of the engine.
      restartBackoff: isDisturbed(drawn)
        ? fixedDelay({ maxAttempts: mostRestarts, delayMs: drawn.delayMs })
        : noRestart(),
      batchSize: drawn.batchSize,
      memoryBudgetBytes: drawn.memoryBudgetBytes,
      memoryOverflow: drawn.memoryOverflow,
      diskBudgetBytes: drawn.diskBudgetBytes,
      diskOverflow: drawn.diskOverflow,
      diskWaitTimeoutMs: 1_000,
      keepResults: drawn.keepResults,
      executors: drawn.executors,
      slots: drawn.slots,
      ...givenOf(options),
      environment,
    },
    {
      cluster: ({ executors }) => started(executors),
      ...(drawn.messages === 'rough' && {
        link: (clock) => roughLink(clock, seededRandom(drawn.seed).fork('messages')),
      }),
      dataPlane: (given, resolved) =>
        new LocalDataPlane(given, {
          ...resolved,
          spillStore: {
            create: (id) => spillStore.create(id),
            dispose: () => {
              filesLeft = [...spillStore.files.keys()];
              return spillStore.dispose();
            },
          },
          maxSteps: () => interleaving.integer(0, drawn.maxSteps),
        }),
    },
  );
  run.events$.subscribe((event) => history.add(event));
  watch?.(run);
  let failure: Error | undefined;
  try {
    await environment.drive(run.result, { what: `job "${plan.name}"`, limitMs: 60 * 60 * 1_000 });
  } catch (error) {
    failure = toError(error);
  }
  await nextTurn(environment);
  const { timerCount } = environment.clock;
  const leftovers = [
    ...(timerCount > 0 ? [`it ended and left ${timerCount} timers armed`] : []),
    ...filesLeft.map((name) => `it ended and left the spill file ${name}`),
  ];
  return { history, receipt: run.receipt(), failure, leftovers };
}

function loggerOf({ logger }: SimulationOptions): { readonly logger?: Logger } {
  return logger === undefined ? {} : { logger };
}

function isDisturbed(drawn: DrawnShape | DrawnRun): drawn is DrawnRun {
  return 'faults' in drawn;
}

/** Lets what was scheduled at the end of the run go on. */
function nextTurn(environment: VirtualEnvironment): Promise<void> {
  return environment.drive(new Promise<void>((resolve) => environment.clock.setImmediate(resolve)));
}

const strategies = { restartPipelinedRegion, restartAll, restartIndividual };

/** The output without faults, and how much each vertex reads: once per job. */
const undisturbedByJob = new WeakMap<JobDefinition, Promise<Undisturbed>>();

interface Undisturbed {
  readonly output: ReadonlyMap<string, readonly unknown[]>;
  readonly recordsIn: ReadonlyMap<string, number>;
}

function undisturbedOutput(job: JobDefinition, options: SimulationOptions): Promise<Undisturbed> {
  const known = undisturbedByJob.get(job);
  if (known !== undefined) return known;
  const running = runUndisturbed(job, options);
  undisturbedByJob.set(job, running);
  return running;
}

async function runUndisturbed(job: JobDefinition, options: SimulationOptions): Promise<Undisturbed> {
  const captured = new CapturedOutput();
  const { name, mode, parallelism } = job;
  const plan = planJob({ name, mode, parallelism, steps: captured.inPlaceOfSinks(job.steps) });
  const recordsIn = new Map<string, number>();
  const faults = faultPlan();
  faults.call(
    'task.finish',
    ({ vertex, records }: FaultPlace) => {
      recordsIn.set(String(vertex), (recordsIn.get(String(vertex)) ?? 0) + Number(records));
    },
    { times: Number.POSITIVE_INFINITY },
  );
  const environment = virtualEnvironment({ seed: 0, faults, ...loggerOf(options) });
  const { failure } = await runSimulated(
    plan,
    environment,
    {
      seed: 0,
      mode,
      parallelism,
      batchSize: 1_024,
      memoryBudgetBytes: Number.POSITIVE_INFINITY,
      memoryOverflow: 'drop',
      diskBudgetBytes: Number.POSITIVE_INFINITY,
      diskOverflow: 'back-pressure',
      keepResults: 'until-consumers-finish',
      failoverStrategy: 'restartPipelinedRegion',
      delayMs: 0,
      executors: 1,
      slots: Number.POSITIVE_INFINITY,
      maxSteps: 64,
      messages: 'prompt',
      sinkAnswers: 'at once',
    },
    new MemorySpillStore(environment.clock),
    options,
  );
  if (failure !== undefined) throw failure;
  return { output: captured.records(), recordsIn };
}

/** Arms what was drawn; the answer counts what fired. */
function armFaults(
  faults: FaultPlan,
  drawn: readonly DrawnFault[],
  files: ReadonlyMap<string, Uint8Array[]> & { clear(): void },
  loseExecutor: (vertex: string, subtask: number) => void,
): () => number {
  const armed = drawn.map(({ point, vertex, subtask, skip, effect }) => {
    const trigger = {
      skip,
      when: (place: FaultPlace) =>
        place['vertex'] === undefined || (place['vertex'] === vertex && place['subtask'] === subtask),
    };
    switch (effect) {
      case 'throws':
        return faults.fail(point, trigger);
      case 'files vanish':
        return faults.call(point, () => files.clear(), trigger);
      case 'bytes rot':
        return faults.call(point, () => rot(files), trigger);
      case 'files are cut':
        return faults.call(point, () => cut(files), trigger);
      case 'executor is lost':
        return faults.call(point, () => loseExecutor(vertex as string, subtask as number), trigger);
    }
  });
  return () => armed.filter(({ fired }) => fired > 0).length;
}

/** Changes the last byte of everything that was written. */
function rot(files: ReadonlyMap<string, Uint8Array[]>): void {
  for (const chunks of files.values()) {
    for (const chunk of chunks) chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 0xff;
  }
}

/** Takes the last half of the last write from each file. */
function cut(files: ReadonlyMap<string, Uint8Array[]>): void {
  for (const chunks of files.values()) {
    const last = chunks.pop();
    if (last !== undefined) chunks.push(last.subarray(0, last.length >> 1));
  }
}

/** Whether the disk that was allowed was too small. */
function isWant(error: Error): boolean {
  return causeWithCode(error, 'DISK_BUDGET_EXCEEDED') !== undefined;
}
