import { inspect } from 'node:util';
import { planJob } from '../api/job-planner.ts';
import type { JobDefinition } from '../api/stream-graph.ts';
import { causeWithCode } from '../errors/cause-chain.ts';
import { propertyOf } from '../foreign-value.ts';
import { KintsugiError } from '../errors/kintsugi-error.ts';
import type { Executors } from '../executors/executors.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, JobVertexId } from '../ids.ts';
import { checkBoolean, checkFunction, checkInteger, checkOptions, checkWord, type OptionNames } from '../options.ts';
import type { JobPlan } from '../run/job-plan.ts';
import type { JobReceipt } from '../run/folds/job-receipt.ts';
import { armFaults } from './armed-faults.ts';
import { type ContinuedEnd, continueRun } from './continued-run.ts';
import { CapturedOutput } from './captured-output.ts';
import type { DrawnCheckpointFault } from './checkpoints/moments.ts';
import { SimulatedCheckpoints } from './checkpoints/simulated-checkpoints.ts';
import { componentCount, SimulatedSavepoint } from './checkpoints/simulated-savepoint.ts';
import { type DrawnRun, drawFaults, drawFaultsOfCheckpoints, drawShape } from './drawn-run.ts';
import type { JobHistory } from './job-history.ts';
import { IncompleteOutput } from './quarantine/incomplete-output.ts';
import { quarantineEnd } from './quarantine/quarantine-rules.ts';
import { MemorySpillStore } from './storage/memory-spill-store.ts';
import { differences } from './output-differences.ts';
import { seededRandom } from './seeded-random.ts';
import { type GivenRunOptions, isWant, runSimulated, toleratedWants, type UndrawnOptions } from './simulated-run.ts';
import { type Undisturbed, undisturbedRun } from './undisturbed-run.ts';
import { virtualEnvironment } from './virtual-environment.ts';

/** Options of a simulation. */
export interface SimulationOptions extends UndrawnOptions {
  /** Determines all random choices: the same seed gives the same run. */
  readonly seed: number;
  /** Maximum parallelism of operators that do not set their own. Default 4. */
  readonly maxParallelism?: number | undefined;
  /** Maximum number of faults. Default 4. */
  readonly maxFaults?: number | undefined;
  /**
   * Whether the tasks run as over worker threads: on one to four executors that share nothing and are joined by messages,
   * which may be delayed, repeated and overtaken. Records between tasks must be plain data then. Default false.
   */
  readonly workers?: boolean | undefined;
  /**
   * Takes checkpoints, as the seed draws them, of a job that then runs as `streaming`: intervals, timeouts, pauses, a slow
   * storage that fails and loses bytes, and failures at every moment from the trigger of a checkpoint to its commit, and
   * while a task continues from one. With `at-least-once` the output may have records more often. Default: none.
   */
  readonly checkpoints?: 'exactly-once' | 'at-least-once' | undefined;
  /**
   * Maps a sink's records to the values compared with the undisturbed run, such as the latest per key, rounded
   * fractions, or records without timestamps. Default: the records.
   */
  readonly outcome?: ((records: readonly unknown[], sink: string) => readonly unknown[]) | undefined;
}

/** The savepoint of a simulated run. */
export interface SimulatedSavepointReport {
  readonly outcome: 'not taken' | 'taken' | 'failed';
  /** Why it could not be taken. */
  readonly failure: unknown;
  /** Whether the run ended with it. */
  readonly hasStopped: boolean;
  /** The run that continued from it, and its parallelism; undefined if none did. */
  readonly continued: JobHistory | undefined;
  readonly parallelism: number | undefined;
}

/** The report of a simulated run. */
export interface SimulationReport {
  readonly seed: number;
  /** Everything that was drawn. */
  readonly drawn: DrawnRun;
  /** Faults that were reached and fired, */
  readonly firedFaults: number;
  /** and those of them that struck checkpoints. */
  readonly struckCheckpoints: readonly DrawnCheckpointFault[];
  /** Whether it failed because its disk budget was too small. */
  readonly isTooLarge: boolean;
  /** Whether it failed because an input file changed while it was read. */
  readonly isInputChanged: boolean;
  /** Whether it ended with quarantined regions: given by `quarantine` of its options. */
  readonly isIncomplete: boolean;
  /** Whether it failed because its checkpoints had been damaged or declined, as drawn. */
  readonly isWithoutCheckpoint: boolean;
  /** Its savepoint; undefined if none was drawn. */
  readonly savepoint: SimulatedSavepointReport | undefined;
  readonly receipt: JobReceipt;
  readonly history: JobHistory;
  /** Committed records by sink. */
  readonly output: ReadonlyMap<string, readonly unknown[]>;
}

/** A simulated run went wrong. The message has everything that was drawn, and the call that repeats the run. */
export class SimulationError extends KintsugiError {
  readonly code = 'SIMULATION_FAILED';
  readonly seed: number;
  readonly drawn: DrawnRun;
  readonly problems: readonly string[];

  constructor(job: string, drawn: DrawnRun, problems: readonly string[], options?: { cause?: unknown }) {
    const shown = inspect(drawn, { depth: 5, breakLength: 120 });
    super(
      `Job "${job}" went wrong with seed ${drawn.seed}:\n  ${problems.join('\n  ')}\ndrawn: ${shown}\n` +
        `repeat with: simulate(job, { seed: ${drawn.seed}${optionsOf(drawn)} })`,
      options,
    );
    this.seed = drawn.seed;
    this.drawn = drawn;
    this.problems = problems;
  }
}

function optionsOf({ areWorkers, checkpoints }: DrawnRun): string {
  const mode = checkpoints && `, checkpoints: '${checkpoints.settings.mode}'`;
  return `${areWorkers ? ', workers: true' : ''}${mode ?? ''}`;
}

/**
 * Runs a job on virtual time with faults, batch sizes, parallelism, mode, strategy and interleavings drawn from a seed,
 * and compares its output and its dead letters (as multisets) with a run without faults. Also checks the rules of {@link JobHistory}.
 *
 * Nothing is written: in-memory stand-ins replace the sinks and the spill files. Sources are read at least twice.
 * Functions must depend only on their records.
 *
 * @throws SimulationError (as a rejection) if the output differs, a rule is violated, or the run does not finish
 */
export async function simulate(job: JobDefinition, options: SimulationOptions): Promise<SimulationReport> {
  checkSimulationOptions(options);
  const undisturbed = await undisturbedRun(job, options);
  const set = setUp(job, options, undisturbed);
  const { drawn, environment, checkpoints, savepoint, captured, plan, graph } = set;
  const { ended, firedFaults } = await runAsDrawn(set, options);
  const hasStopped = savepoint?.hasStopped(ended.failure) === true;
  const { history, receipt } = ended;
  const incomplete = incompleteOutput(ended.failure, plan, graph, history);
  const isIncomplete = incomplete !== undefined;
  // A job that needs more disk than its budget fails rightly.
  const wants = history.events.filter((event) => event.type === 'task.failed' && isWant(event.cause));
  const unexpected = isIncomplete || hasStopped ? undefined : ended.failure;
  const isTooLarge = unexpected !== undefined && (isWant(unexpected) || wants.length > toleratedWants(drawn));
  const isInputChanged = causeWithCode(unexpected, 'INPUT_CHANGED') !== undefined;
  const isWithoutCheckpoint = checkpoints?.mayFailWith(unexpected) === true;
  const failure = isTooLarge || isInputChanged || isWithoutCheckpoint ? undefined : unexpected;
  const regions = pipelinedRegions(graph);
  const problems = [
    ...(failure === undefined ? [] : [`it failed: ${failure.message}`]),
    ...history.violations(graph, regions),
    ...(checkpoints?.problems(ended.run, history.events, graph, regions) ?? []),
    ...(hasStopped
      ? captured.problems(true)
      : wrongOutput(undisturbed, captured, options, { hasFinished: ended.failure === undefined, incomplete })),
    ...doubleCommits(captured, plan, graph, history),
    ...captured.lateCommits(ended, drawn),
    ...ended.leftovers,
    ...ended.unrecorded,
  ];
  const later = unexpected === undefined ? await continued(job, set, options) : undefined;
  if (later !== undefined) problems.push(...continuedProblems(later, undisturbed, captured, options));
  if (savepoint?.outcome === 'failed') await environment.drive(savepoint.settled(environment.clock));
  if (checkpoints !== undefined) problems.push(...(savepoint?.problems() ?? []));
  if (problems.length > 0) throw new SimulationError(job.name, drawn, problems, { cause: failure });
  const why = { isTooLarge, isInputChanged, isIncomplete, isWithoutCheckpoint };
  const struckCheckpoints = checkpoints?.moments.fired ?? [];
  const fired = { firedFaults: firedFaults() + struckCheckpoints.length, struckCheckpoints };
  const told = savepoint && {
    ...{ outcome: savepoint.outcome, failure: savepoint.failure },
    ...{ hasStopped, continued: later?.ended.history, parallelism: later?.parallelism },
  };
  const { seed } = options;
  return { seed, drawn, ...fired, ...why, receipt, history, savepoint: told, output: captured.records() };
}

type SetUp = ReturnType<typeof setUp>;

/** Everything of a run that is drawn before it begins. */
function setUp(job: JobDefinition, options: SimulationOptions, { recordsIn, durationMs }: Undisturbed) {
  const { seed } = options;
  const random = seededRandom(seed);
  const shape = drawShape(random, job, { ...options, durationMs });
  const environment = virtualEnvironment({ seed, order: 'shuffled', logger: options.logger });
  const { clock } = environment;
  const checkpoints =
    shape.checkpoints && new SimulatedCheckpoints(shape.checkpoints, clock, random.fork('checkpoint storage'));
  const captured = new CapturedOutput(shape.sinkAnswers === 'drawn' ? random.fork('answers') : undefined, {
    // A worker that was given up and goes on for a while must not commit any more.
    redo: shape.areWorkers ? 'collects' : undefined,
    ...{ sinks: shape.checkpoints?.sinks, moments: checkpoints?.moments },
  });
  const plan = planJob({ ...shape, name: job.name, steps: captured.inPlaceOfSinks(job.steps) });
  const faults = drawFaults(random, plan, recordsIn, shape, options);
  const checkpointFaults = drawFaultsOfCheckpoints(random, plan, shape, options);
  checkpoints?.moments.arm(checkpointFaults);
  const savepoint =
    shape.checkpoints?.savepoint &&
    new SimulatedSavepoint(shape.checkpoints.savepoint, clock, random.fork('savepoint storage'));
  const drawn: DrawnRun = { ...shape, faults, checkpointFaults };
  const graph = new ExecutionGraph(plan.jobGraph);
  return { random, drawn, environment, checkpoints, captured, plan, graph, savepoint };
}

async function runAsDrawn(set: SetUp, options: SimulationOptions) {
  const { random, drawn, environment, checkpoints, plan, graph, savepoint } = set;
  const spillStore = new MemorySpillStore(environment.clock, { faults: environment.faults });
  let executors: Executors | undefined;
  const firedFaults = armFaults(environment.faults, drawn.faults, spillStore.files, (vertex, subtask) =>
    loseExecutor(graph, executors, vertex, subtask),
  );
  const ended = await runSimulated(plan, environment, drawn, spillStore, options, {
    started: (started) => {
      executors = started;
    },
    ...{ checkpoints, savepoint },
    running: (run) => {
      checkpoints?.watch(graph, random.fork('strikes'), () => ({ run, executors }));
      if (checkpoints !== undefined)
        savepoint?.take(run, checkpoints.timers, checkpoints.moments, componentCount(graph));
    },
  });
  return { ended, firedFaults };
}

/** The run that continues from the savepoint of another one; undefined without one. */
async function continued(
  job: JobDefinition,
  set: SetUp,
  options: SimulationOptions,
): Promise<ContinuedEnd | undefined> {
  const { drawn, checkpoints, savepoint, captured, random } = set;
  if (checkpoints === undefined || drawn.checkpoints === undefined || savepoint?.isTaken !== true) return undefined;
  return await continueRun({
    ...{ job, captured, checkpoints, savepoint, random, options },
    drawn: { ...drawn, checkpoints: drawn.checkpoints },
  });
}

/** What is wrong with a run that continued from a savepoint. */
function continuedProblems(
  { ended: { failure }, checkpoints, problems }: ContinuedEnd,
  undisturbed: Undisturbed,
  captured: CapturedOutput,
  options: SimulationOptions,
): string[] {
  const isExpected = failure === undefined || checkpoints.mayFailWith(failure);
  return [
    ...(isExpected ? [] : [`continued from the savepoint, it failed: ${failure.message}`]),
    ...problems,
    ...wrongOutput(undisturbed, captured, options, { hasFinished: failure === undefined, incomplete: undefined }),
  ];
}

function loseExecutor(graph: ExecutionGraph, executors: Executors | undefined, vertex: string, subtask: number): void {
  const index = graph.jobGraph.vertexIndexById.get(vertex as JobVertexId) as number;
  const executor = executors?.executorOf(graph.vertexAt(index, subtask));
  if (executor !== undefined) executors?.kill(executor, 'it was drawn');
}

/** How the output differs from the one without faults. */
function wrongOutput(
  undisturbed: Undisturbed,
  captured: CapturedOutput,
  { checkpoints, outcome }: SimulationOptions,
  { hasFinished, incomplete }: { readonly hasFinished: boolean; readonly incomplete: IncompleteOutput | undefined },
): string[] {
  const output = captured.records();
  const comparable: typeof outcome = (records, sink) => {
    const compared = captured.comparable(records, sink);
    return outcome?.(compared, sink) ?? compared;
  };
  const may = {
    mayLack: (sink: string) => incomplete?.mayLack(sink) === true,
    mayRepeat: checkpoints === 'at-least-once',
  };
  return [
    ...captured.problems(hasFinished),
    ...(hasFinished || incomplete ? differences(undisturbed.output, output, comparable, may) : []),
    ...(incomplete?.problems(captured, output.keys()) ?? []),
  ];
}

/** What the output may be if the job ended with quarantined regions. */
function incompleteOutput(
  failure: Error | undefined,
  plan: JobPlan,
  graph: ExecutionGraph,
  { events }: JobHistory,
): IncompleteOutput | undefined {
  if (propertyOf(failure, 'code') !== 'JOB_INCOMPLETE') return undefined;
  return new IncompleteOutput(plan, graph, quarantineEnd(events, graph));
}

/** H9: of two attempts side by side, one commits to the sinks of their task, at most. */
function doubleCommits(
  captured: CapturedOutput,
  { chains }: JobPlan,
  graph: ExecutionGraph,
  { events }: JobHistory,
): string[] {
  return events.flatMap((event) => {
    if (event.type !== 'task.speculated') return [];
    const vertex = event.vertex as ExecutionVertexId;
    const uids = chains[graph.jobVertexIndexOf(vertex)] as readonly string[];
    const attempts = [event.beside, event.attempt] as AttemptNumber[];
    return captured
      .committedTwice(uids, graph.subtaskOf(vertex), attempts)
      .map((sink) => `H9: attempts ${attempts.join(' and ')} of ${event.task} have both committed to "${sink}"`);
  });
}

function checkSimulationOptions(given: SimulationOptions): void {
  checkOptions('simulate', given, {
    seed: true,
    maxParallelism: true,
    maxFaults: true,
    workers: true,
    checkpoints: true,
    options: true,
    watch: true,
    logger: true,
    outcome: true,
  });
  const { maxParallelism, maxFaults, workers, checkpoints, options, watch, outcome } = given;
  if (maxParallelism !== undefined) checkInteger('maxParallelism', maxParallelism, 1, 1 << 20);
  if (maxFaults !== undefined) checkInteger('maxFaults', maxFaults, 0, Number.MAX_SAFE_INTEGER);
  if (workers !== undefined) checkBoolean('workers', workers);
  if (checkpoints !== undefined) checkWord('checkpoints', checkpoints, ['exactly-once', 'at-least-once']);
  if (watch !== undefined) checkFunction('watch', watch);
  if (outcome !== undefined) checkFunction('outcome', outcome);
  if (options !== undefined) checkOptions('the options of simulate', options, runOptionNames);
}

const runOptionNames: OptionNames<GivenRunOptions> = {
  failoverStrategy: true,
  restartBackoff: true,
  quarantine: true,
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
