import { executionStates, isTerminalJobStatus, type JobStatus, regionStates } from '../../../actors/protocol/states.ts';
import type { ExecutionVertexId, RegionId } from '../../../ids.ts';
import type { JobShape } from '../../../run/folds/job-shape.ts';
import type { AttemptTable } from '../attempt-table.ts';
import type { ChartLine, ChartState, NumberedMove, RunLine } from '../recording-line.ts';
import { ActorNumbers, type EngineActor } from './actor-numbers.ts';
import type { ActorTable, KnownActor, StateMove } from './actor-table.ts';
import type { StateMoves } from './state-moves.ts';

/** The moves of regions and executions. */
export type EngineMoves = Readonly<Record<EngineActor['chart'], StateMoves>>;

/** What the actors of a run are concluded from. */
export interface ActorSources {
  readonly run: RunLine;
  readonly shape: JobShape;
  readonly status: string;
  readonly statusSinceMs: number | undefined;
  readonly attempts: AttemptTable;
  readonly charts: ReadonlyMap<string, ChartLine>;
  /** The actors that lines announce. */
  readonly announced: ActorTable;
  readonly moves: EngineMoves;
  /** The exact states of focused regions and executions. */
  readonly exact: ReadonlyMap<number, readonly string[]>;
  regionState(region: number): string | undefined;
}

/** The recordings of this format and later ones do not announce regions and executions. */
const formatWithout = 2;

const nowhere: readonly string[] = Object.freeze([]);

/**
 * The actors of a run: those that lines announce, and the regions and executions, which follow from the events of the
 * job. Of these the steps within a state are known only while they are focused.
 */
export class RunActors {
  readonly #sources: ActorSources;
  readonly #numbers: ActorNumbers;

  constructor(sources: ActorSources) {
    this.#sources = sources;
    this.#numbers = new ActorNumbers(sources.shape);
  }

  /** Those that are announced in the order of their creation, then the regions, then the executions. */
  get all(): Iterable<KnownActor> {
    return this.#all();
  }

  get(number: number): KnownActor | undefined {
    const actor = this.#numbers.read(number);
    if (actor === undefined) return this.#sources.announced.get(number);
    if (!this.#hasEngine) return undefined;
    if (actor.chart === 'region') return this.#region(actor.region);
    const { attempts } = this.#sources;
    for (let row = attempts.latestOf(actor.task); row >= 0; row = attempts.before(row)) {
      if (attempts.attempt.at(row) === actor.attempt) return this.#execution(row);
    }
    return undefined;
  }

  /** The moves of the actors of a chart. */
  movesOf(chart: string): StateMove[] {
    const announced = this.#sources.announced.movesOf(chart);
    if (!this.#hasEngine || (chart !== 'region' && chart !== 'execution')) return announced;
    const names: readonly string[] = chart === 'region' ? regionStates : executionStates;
    const pathsOf = (index: number): readonly string[] => this.#pathsOf(chart, names[index]);
    const toMove = ([from, to, count]: NumberedMove): StateMove => ({ from: pathsOf(from), to: pathsOf(to), count });
    return this.#sources.moves[chart].toPlain().map(toMove);
  }

  /** Whether regions and executions are known from the events: not in an old recording, nor in one without actors. */
  get #hasEngine(): boolean {
    const { run, charts } = this.#sources;
    return run.format >= formatWithout && charts.has('region') && charts.has('execution');
  }

  *#all(): Generator<KnownActor> {
    const { announced, shape, attempts } = this.#sources;
    yield* announced.all;
    if (!this.#hasEngine) return;
    for (let region = 0; region < shape.regions.count; region++) {
      if (this.#sources.regionState(region) !== undefined) yield this.#region(region);
    }
    for (let row = 0; row < attempts.size; row++) yield this.#execution(row);
  }

  #region(region: number): KnownActor {
    const { run, regionState } = this.#sources;
    const state = regionState(region);
    return {
      ...this.#known({ chart: 'region', region }, `${run.run}/master/region/${region}`, state),
      ...{ parent: undefined, startedMs: run.atMs, stoppedMs: this.#endMs },
    };
  }

  #execution(row: number): KnownActor {
    const { run, shape, attempts } = this.#sources;
    const task = attempts.task.at(row) as ExecutionVertexId;
    const attempt = attempts.attempt.at(row);
    const id = `${run.run}/master/execution/${shape.graph.nameOf(task)}#${attempt}`;
    const region: RegionId = shape.regions.regionOf(task);
    const latest = attempts.latestOf(task);
    const replacedMs = latest === row ? undefined : (timeAt(attempts.createdMs.at(latest)) ?? run.atMs);
    return {
      ...this.#known({ chart: 'execution', task, attempt }, id, attempts.stateOf(row)),
      parent: this.#numbers.of({ chart: 'region', region }),
      startedMs: timeAt(attempts.createdMs.at(row)) ?? run.atMs,
      stoppedMs: replacedMs ?? this.#endMs,
    };
  }

  #known(actor: EngineActor, id: string, state: string | undefined) {
    const number = this.#numbers.of(actor);
    const states = this.#sources.exact.get(number) ?? this.#pathsOf(actor.chart, state);
    return { actor: number, id, chart: actor.chart, states };
  }

  /** When the job ended, and with it its actors. */
  get #endMs(): number | undefined {
    const { status, statusSinceMs, run } = this.#sources;
    return isTerminalJobStatus(status as JobStatus) ? (statusSinceMs ?? run.atMs) : undefined;
  }

  #pathsOf(chart: string, state: string | undefined): readonly string[] {
    const definition = this.#sources.charts.get(chart)?.definition;
    if (definition === undefined || state === undefined) return nowhere;
    return pathsIn(definition).get(state) ?? nowhere;
  }
}

const known = new WeakMap<ChartState, ReadonlyMap<string, readonly string[]>>();

/** By key of a state of a chart: its path. Of several with one key, the outermost. */
function pathsIn(definition: ChartState): ReadonlyMap<string, readonly string[]> {
  const made = known.get(definition);
  if (made !== undefined) return made;
  const paths = new Map<string, readonly string[]>();
  let level = definition.states.map((state) => ({ state, path: state.key }));
  while (level.length > 0) {
    for (const { state, path } of level) if (!paths.has(state.key)) paths.set(state.key, [path]);
    level = level.flatMap(({ state, path }) =>
      state.states.map((inner) => ({ state: inner, path: `${path}.${inner.key}` })),
    );
  }
  known.set(definition, paths);
  return paths;
}

function timeAt(ms: number): number | undefined {
  return Number.isNaN(ms) ? undefined : ms;
}
