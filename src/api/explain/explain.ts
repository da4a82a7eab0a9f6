import type { FailoverRule } from '../../failover/failover-strategy.ts';
import type { RecoveryView } from '../../failover/restart-proposal.ts';
import type { ExchangeName } from '../../graph/exchange-type.ts';
import { ExecutionGraph } from '../../graph/execution-graph.ts';
import { coLocationGroups, type JobEdge, type JobVertex } from '../../graph/job-graph.ts';
import { pipelinedRegions } from '../../graph/pipelined-region.ts';
import { ReproducibleRegions } from '../../graph/reproducibility.ts';
import type { Partitioning } from '../../operators/operator-description.ts';
import { checkFunction, checkOptions, type OptionNames } from '../../options.ts';
import { type SharedSlots, sharedSlots } from '../../scheduling/slot-sharing.ts';
import { type SlotDemand, slotDemand } from '../../scheduling/slot-demand.ts';
import { planJob } from '../job-planner.ts';
import { type JobPlan, type JobMode, partitioningOf } from '../../run/job-plan.ts';
import { type JobRunOptions, resolveRunOptions, runOptionNames } from '../../run/run-options.ts';
import type { ChosenSavepoint } from '../../run/savepoints/savepoint-option.ts';
import { type WithoutSecondAttempts, withoutSecondAttempts } from '../../run/executors/without-second-attempts.ts';
import { type RegionGroup, regionGroups } from './region-groups.ts';
import type { JobDefinition } from '../stream-graph.ts';
import { type LiveSource, liveSources, protectionOf } from './live-sources.ts';
import { AssumedFailures } from './assumed-failures.ts';
import { consequence, type RestartScope } from './restart-scope.ts';
import { explainResume, type ResumeExplanation, type ResumeQuestion } from './resume-explanation.ts';
import { explainSavepoint, type SavepointExplanation } from './savepoint-explanation.ts';
import { listed } from './task-list.ts';
import { counted, section } from './text-table.ts';

/** Options of `explain`: those of the run. It ignores those that do not concern what it says, such as `slots`. */
export interface ExplainOptions extends Omit<JobRunOptions, 'stateDirectory' | 'fromSavepoint'> {
  /**
   * The rule behind `whatRestarts`, asked once per failed region. Default: `failoverStrategy`, if that is a rule; otherwise
   * `restartPipelinedRegion()`.
   */
  readonly failoverRule?: FailoverRule | undefined;
  /** As for the run: says which vertices get no second attempts of slow tasks. Default: says nothing of them. */
  readonly speculation?: JobRunOptions['speculation'];
  /** See {@link DurableExplainOptions}. */
  readonly stateDirectory?: undefined;
  /** See {@link SavepointExplainOptions}. */
  readonly fromSavepoint?: undefined;
}

/** Options of `explain` for a run with a state directory. */
export interface DurableExplainOptions
  extends Omit<ExplainOptions, 'stateDirectory' | 'fromSavepoint'>,
    Pick<JobRunOptions, 'fromSavepoint'> {
  readonly stateDirectory: string;
}

/** Options of `explain` for a run that begins with a savepoint, without a state directory. */
export interface SavepointExplainOptions extends Omit<ExplainOptions, 'fromSavepoint'> {
  readonly fromSavepoint: string;
}

/** The regions of a job, and what restarts them: a plain value with a text form. */
export interface JobExplanation {
  readonly job: string;
  readonly mode: JobMode;
  readonly taskCount: number;
  readonly regionCount: number;
  readonly vertices: readonly {
    readonly id: string;
    readonly parallelism: number;
    /** The operators that run in the vertex as one loop. */
    readonly operators: readonly string[];
  }[];
  readonly edges: readonly {
    readonly source: string;
    readonly target: string;
    readonly exchange: ExchangeName;
    readonly pattern: JobEdge['pattern'];
    readonly partitioning: Partitioning['kind'];
  }[];
  readonly regions: readonly RegionGroup[];
  /** How many slots the job takes over all executors. A region takes its slots all at the same time. */
  readonly slots: SlotDemand;
  /** The vertices of each slot sharing group, and how many slots their tasks share. Tasks of other vertices have one each. */
  readonly slotSharing: readonly SharedSlots[];
  /** The vertices of each co-location group: their tasks of equal index run in one slot, and restart together. */
  readonly coLocation: readonly { readonly group: string; readonly vertices: readonly string[] }[];
  /** Sources that cannot be read again: a restart of one loses the records before it. */
  readonly liveSources: readonly LiveSource[];
  /** With `speculation`: the vertices whose slow tasks get no second attempt, and why. Undefined without. */
  readonly noSecondAttempts: readonly WithoutSecondAttempts[] | undefined;
  /**
   * What restarts if a task fails while every complete result is still readable.
   *
   * @param name a task (`map-1[2]`), or a vertex or operator for all its tasks at once
   * @throws InvalidArgumentError for an unknown name.
   */
  whatRestarts(name: string): RestartScope;
  toString(): string;
}

/** A job, and what a run of it with a state directory would take over, run and pay. */
export interface DurableJobExplanation extends JobExplanation {
  readonly resume: ResumeExplanation;
  /** With `fromSavepoint`; undefined without, and if the run continues an earlier one that began with it. */
  readonly savepoint: SavepointExplanation | undefined;
}

/** A job, and what a run that begins with a savepoint would restore. */
export interface SavepointJobExplanation extends JobExplanation {
  readonly savepoint: SavepointExplanation;
}

/**
 * Shows how a job will run: which steps are chained, how results travel, which tasks restart together, how many slots
 * it takes. The text stays short at any parallelism; of many vertices it shows the first.
 *
 * @example
 * ```ts
 * import { Job, collect, explain, fromIterable } from 'kintsugi';
 *
 * const job = Job.create('count', { parallelism: 1 });
 * job.source('words', fromIterable(['gold', 'dust', 'gold']))
 *    .map((word) => ({ word, count: 1 }))
 *    .keyBy((entry) => entry.word, { exchange: 'blocking' })
 *    .reduce((a, b) => ({ word: a.word, count: a.count + b.count }), { uid: 'sum', parallelism: 4 })
 *    .sink('counts', collect<{ word: string; count: number }>());
 *
 * console.log(`${explain(job)}`);
 * console.log(explain(job).whatRestarts('sum[2]').taskCount); // 1
 * ```
 *
 * With `stateDirectory` it returns a promise, and says too what a run with that directory would take over, run and pay.
 * It only reads: nothing is changed, and the directory may be in use.
 *
 * With `fromSavepoint` it returns a promise too, and says what the savepoint means for the job: which steps continue, which
 * begin empty, and why it would be refused.
 *
 * @throws JobValidationError if the job cannot run as described; with a state directory also JournalFormatError,
 *   JournalAccessError, and errors of sources that examine what they read (as rejections)
 */
export function explain(job: JobDefinition, options: DurableExplainOptions): Promise<DurableJobExplanation>;
export function explain(job: JobDefinition, options: SavepointExplainOptions): Promise<SavepointJobExplanation>;
export function explain(job: JobDefinition, options?: ExplainOptions): JobExplanation;
export function explain(
  job: JobDefinition,
  options: ExplainOptions | DurableExplainOptions | SavepointExplainOptions,
): JobExplanation | Promise<DurableJobExplanation | SavepointJobExplanation>;
export function explain(
  job: JobDefinition,
  options: ExplainOptions | DurableExplainOptions | SavepointExplainOptions = {},
): JobExplanation | Promise<DurableJobExplanation | SavepointJobExplanation> {
  checkOptions<DurableExplainOptions>('explain', options as DurableExplainOptions, optionNames);
  const { failoverRule: givenRule, ...runOptions } = options;
  if (givenRule !== undefined) checkFunction('failoverRule', givenRule);
  const plan = planJob(job);
  const resolved = resolveRunOptions(runOptions);
  const { failoverRule: runRule, speculation, stateDirectory, savepoint } = resolved;
  const rule = givenRule ?? (typeof runRule === 'function' ? runRule : undefined);
  const repeated = { repeatCalls: speculation?.repeatCalls, stateDirectory };
  if (stateDirectory !== undefined) {
    // As it was given: the text names it.
    const question = { ...resolved, stateDirectory: options.stateDirectory ?? stateDirectory };
    return explainDurable(plan, rule, repeated, question);
  }
  if (savepoint !== undefined) return explainBeginning(plan, rule, repeated, savepoint);
  return new PlanExplanation(plan, rule, repeated);
}

const optionNames: OptionNames<DurableExplainOptions> = { ...runOptionNames, failoverRule: true };

/** How the run repeats work; `repeatCalls` is undefined without speculation. */
interface Repeated {
  readonly repeatCalls: boolean | undefined;
  readonly stateDirectory: string | undefined;
}

async function explainDurable(
  plan: JobPlan,
  rule: FailoverRule | undefined,
  repeated: Repeated,
  { savepoint, ...question }: ResumeQuestion & { readonly savepoint: ChosenSavepoint | undefined },
): Promise<DurableJobExplanation> {
  const { stateDirectory, resume, rerun, environment, checkpoints } = question;
  const resumed = await explainResume(plan, { stateDirectory, resume, rerun, environment, checkpoints });
  const goesOn = resumed.reused.length > 0 || resumed.checkpoints.some((component) => 'checkpoint' in component);
  const beginning = savepoint && (await explainSavepoint(plan, savepoint, { stateDirectory, resume, goesOn }));
  return new DurablePlanExplanation(plan, rule, repeated, { resume: resumed, savepoint: beginning });
}

async function explainBeginning(
  plan: JobPlan,
  rule: FailoverRule | undefined,
  repeated: Repeated,
  savepoint: ChosenSavepoint,
): Promise<SavepointJobExplanation> {
  const beginning = (await explainSavepoint(plan, savepoint)) as SavepointExplanation;
  return new SavepointPlanExplanation(plan, rule, repeated, beginning);
}

class PlanExplanation implements JobExplanation {
  readonly job: string;
  readonly mode: JobMode;
  readonly taskCount: number;
  readonly regionCount: number;
  readonly vertices: JobExplanation['vertices'];
  readonly edges: JobExplanation['edges'];
  readonly regions: readonly RegionGroup[];
  readonly slots: SlotDemand;
  readonly slotSharing: readonly SharedSlots[];
  readonly coLocation: JobExplanation['coLocation'];
  readonly liveSources: readonly LiveSource[];
  readonly noSecondAttempts: JobExplanation['noSecondAttempts'];
  readonly #failures: AssumedFailures;

  constructor(plan: JobPlan, rule: FailoverRule | undefined, { repeatCalls, stateDirectory }: Repeated) {
    const { jobGraph, chains } = plan;
    const graph = new ExecutionGraph(jobGraph);
    const regions = pipelinedRegions(graph);
    const reproducible = new ReproducibleRegions(graph, regions);
    /** Every complete result can be read, and every task runs. */
    const topology: RecoveryView = {
      graph,
      regions,
      isPartitionAvailable: (partition) => graph.exchangeOfPartition(partition).reconsumable,
      isPartitionReadable: (partition) => graph.exchangeOfPartition(partition).reconsumable,
      isWaiting: () => false,
      reproducibilityOf: (region) => reproducible.of(region),
    };
    this.#failures = new AssumedFailures(plan, topology, rule);
    this.job = plan.name;
    this.mode = plan.mode;
    this.taskCount = graph.vertexCount;
    this.regionCount = regions.count;
    this.vertices = jobGraph.vertices.map(({ id, parallelism }, index) => {
      return { id, parallelism, operators: chains[index] as readonly string[] };
    });
    this.edges = jobGraph.edges.map(({ source, target, exchange, pattern }, edge) => {
      return {
        source,
        target,
        exchange: exchange.name as ExchangeName,
        pattern,
        partitioning: partitioningOf(plan, edge),
      };
    });
    this.regions = regionGroups(topology);
    this.slots = slotDemand(graph, regions);
    this.slotSharing = sharedSlots(graph);
    this.coLocation = [...coLocationGroups(jobGraph)].map(([group, members]) => {
      return { group, vertices: members.map((member) => (jobGraph.vertices[member] as JobVertex).id) };
    });
    this.liveSources = liveSources(jobGraph, chains, (id) => this.whatRestarts(id).tasks);
    const work = { plan, shape: { graph, regions }, stateDirectory };
    this.noSecondAttempts = repeatCalls === undefined ? undefined : withoutSecondAttempts({ ...work, repeatCalls });
  }

  whatRestarts(name: string): RestartScope {
    return this.#failures.whatRestarts(name);
  }

  toString(): string {
    const { vertices, edges, regions, slots, slotSharing, coLocation, liveSources, noSecondAttempts = [] } = this;
    const counts = [
      counted(vertices.length, 'vertex', 'vertices'),
      counted(this.taskCount, 'task'),
      counted(this.regionCount, 'region'),
    ];
    return [
      `Job "${this.job}" (${this.mode}): ${counts.join(', ')}`,
      ...section('Vertices', vertices, (vertex) => [vertex.id, `×${vertex.parallelism}`, vertex.operators.join(' → ')]),
      ...section('Edges', edges, (edge) => {
        const arrow = edge.exchange === 'pipelined' ? '──▶' : '─┤├▶';
        return [edge.source, arrow, edge.target, edge.exchange, `${edge.partitioning}, ${edge.pattern}`];
      }),
      ...section('Regions (tasks that restart together)', regions, ({ count, size, tasks, produces }) => {
        const repeats =
          produces === undefined
            ? ''
            : produces.kind === 'again'
              ? 'reproduces its results'
              : `recomputes its results: ${produces.why}`;
        return [String(count), `× ${counted(size, 'task')}`, listed(tasks), repeats];
      }),
      '',
      slotSharing.length === 0 ? 'Slots (one per running task)' : 'Slots (one per running task, or shared)',
      `  ${slots.least} or more for the job to run: the tasks of its largest region run together`,
      `  ${slots.most} for all that can run at once`,
      ...section('Slot sharing groups', slotSharing, ({ group, slots: shared, vertices: members }) => [
        group,
        counted(shared, 'slot'),
        members.join(', '),
      ]),
      ...section('Co-located (tasks of equal index run in one slot, and restart together)', coLocation, (located) => [
        located.group,
        located.vertices.join(', '),
      ]),
      ...section('Sources that cannot be read again (a restart loses what came before)', liveSources, (source) => [
        source.source,
        protectionOf(source),
      ]),
      ...section('Vertices whose slow tasks get no second attempt (`speculation`)', noSecondAttempts, (vertex) => [
        vertex.vertex,
        vertex.why,
      ]),
      ...section('If one task fails', vertices, ({ id }) => [`${id}[0]`, consequence(this.whatRestarts(`${id}[0]`))]),
    ].join('\n');
  }
}

class DurablePlanExplanation extends PlanExplanation implements DurableJobExplanation {
  readonly resume: ResumeExplanation;
  readonly savepoint: SavepointExplanation | undefined;

  constructor(
    plan: JobPlan,
    rule: FailoverRule | undefined,
    repeated: Repeated,
    { resume, savepoint }: Pick<DurableJobExplanation, 'resume' | 'savepoint'>,
  ) {
    super(plan, rule, repeated);
    this.resume = resume;
    this.savepoint = savepoint;
  }

  override toString(): string {
    const texts = [super.toString(), this.resume.toString(), this.savepoint?.toString()];
    return texts.filter((text) => text !== undefined).join('\n\n');
  }
}

class SavepointPlanExplanation extends PlanExplanation implements SavepointJobExplanation {
  readonly savepoint: SavepointExplanation;

  constructor(plan: JobPlan, rule: FailoverRule | undefined, repeated: Repeated, savepoint: SavepointExplanation) {
    super(plan, rule, repeated);
    this.savepoint = savepoint;
  }

  override toString(): string {
    return `${super.toString()}\n\n${this.savepoint.toString()}`;
  }
}
