import type { JobShape } from '../../run/folds/job-shape.ts';
import type { ComponentCheckpointsReport } from '../../run/checkpoints/checkpoint-history.ts';
import type { PlainError } from '../../plain-error.ts';
import { executionStates, regionStates } from '../../actors/protocol/states.ts';
import { RunActors } from './actors/run-actors.ts';
import type { RejectedTally } from '../../run/folds/rejected-tally.ts';
import type { AttemptTable } from './attempt-table.ts';
import { executorChange } from './executor-list.ts';
import type { FailoverList } from './failover-list.ts';
import { type PictureParts, picturePartsOf } from './picture-parts.ts';
import { eventsOf } from './frequent-events.ts';
import { partitionCalled, recordedShape } from './recorded-shape.ts';
import type {
  ChartLine,
  LostResult,
  RecordedEvent,
  RecordedExecutor,
  RecordedPicture,
  RecordedQuarantine,
  RecordingLine,
  RunLine,
  TraceLine,
} from './recording-line.ts';
import type { SampleSeries } from './samples/sample-series.ts';

const mostNotices = 500;
const mostTraces = 500;

/**
 * Everything that a recording amounts to: a fold over its lines, live or from a file. Each line costs O(what it names),
 * whatever the size of the job. 10 000 tasks with five attempts each take about 4 MB, with their actors about 20 MB.
 *
 * A `run` line begins again, and so does a `picture` line: what it holds replaces everything before it.
 */
export class RunPicture {
  #run: RunLine;
  #shape: JobShape;
  #parts: PictureParts;

  /** @param shared for `sameAgain` */
  constructor(run: RunLine, shared?: RunPicture) {
    this.#run = run;
    this.#shape = shared?.shape ?? recordedShape(run);
    this.#parts = shared === undefined ? picturePartsOf(this.#shape, run.atMs) : shared.#parts;
  }

  /** The same picture as another object, for a viewer that compares objects to see what has changed. O(1) */
  sameAgain(): RunPicture {
    return new RunPicture(this.#run, this);
  }

  /** The picture of a `picture` line. */
  static from(run: RunLine, plain: RecordedPicture, atMs = run.atMs): RunPicture {
    const picture = new RunPicture(run);
    picture.next({ type: 'picture', atMs, picture: plain });
    return picture;
  }

  get run(): RunLine {
    return this.#run;
  }

  get shape(): JobShape {
    return this.#shape;
  }

  /** The latest time of a line. */
  get atMs(): number {
    return this.#parts.atMs;
  }

  get status(): string {
    return this.#parts.status;
  }

  /** When the status began; undefined if the recording does not say. */
  get statusSinceMs(): number | undefined {
    return this.#parts.statusSinceMs;
  }

  /** The state of a region; undefined if the recording does not say. */
  readonly regionState = (region: number): string | undefined => this.#parts.regionStates[region];

  get attempts(): AttemptTable {
    return this.#parts.attempts;
  }

  get failovers(): FailoverList {
    return this.#parts.failovers;
  }

  /** By partition: results that are lost and not yet being reproduced. */
  get lost(): ReadonlyMap<number, LostResult> {
    return this.#parts.lost;
  }

  /** Indexes of job vertices that were declared deterministic but are not. */
  get distrusted(): ReadonlySet<number> {
    return this.#parts.distrusted;
  }

  get rejected(): RejectedTally {
    return this.#parts.rejected;
  }

  /** Warnings and other events that views show as they are, oldest first. */
  get notices(): readonly RecordedEvent[] {
    return this.#parts.notices;
  }

  get executors(): ReadonlyMap<string, RecordedExecutor> {
    return this.#parts.executors;
  }

  /** By region: why it is quarantined. Not those that wait for such a region. */
  get quarantined(): ReadonlyMap<number, RecordedQuarantine> {
    return this.#parts.quarantined;
  }

  /** The checkpoints of each streaming component. */
  get checkpoints(): readonly ComponentCheckpointsReport<PlainError>[] {
    return this.#parts.checkpoints.value();
  }

  get samples(): SampleSeries {
    return this.#parts.samples;
  }

  get charts(): ReadonlyMap<string, ChartLine> {
    return this.#parts.charts;
  }

  /** Its actors, as far as the recording tells of them. */
  get actors(): RunActors {
    const { announced, moves, exact } = this.#parts;
    const { run, shape, status, statusSinceMs, attempts, charts, regionState } = this;
    return new RunActors({
      ...{ run, shape, status, statusSinceMs, attempts, charts, regionState },
      ...{ announced, moves, exact },
    });
  }

  /** The latest lines of focused actors, oldest first. */
  get traces(): readonly TraceLine[] {
    return this.#parts.traces;
  }

  /** How many lines the recording lacks. */
  get droppedLines(): number {
    return this.#parts.droppedLines;
  }

  /** Takes the next line. */
  next(line: RecordingLine): void {
    const parts = this.#parts;
    if (line.type === 'run') {
      this.#run = line;
      this.#shape = recordedShape(line);
      this.#parts = picturePartsOf(this.#shape, line.atMs);
      return;
    }
    const atMs = line.type === 'event' ? line.event.atMs : line.type === 'chart' ? parts.atMs : line.atMs;
    parts.atMs = Math.max(parts.atMs, atMs);
    switch (line.type) {
      case 'picture':
        this.#parts = picturePartsOf(this.#shape, line.atMs, line.picture);
        return;
      case 'event':
        this.#event(line.event);
        return;
      case 'changes':
        for (const event of eventsOf(line, this.#shape.graph)) {
          parts.atMs = Math.max(parts.atMs, event.atMs);
          this.#event(event);
        }
        return;
      case 'sample':
        parts.samples.next(line);
        return;
      case 'chart':
        parts.charts.set(line.chart, line);
        return;
      case 'actors':
        parts.announced.next(line);
        for (const [actor, states] of line.states) this.#focused(actor, states);
        return;
      case 'trace':
        keepLatest(parts.traces, line, mostTraces);
        return;
      case 'gap':
        parts.droppedLines += line.lines;
        return;
      default:
      // A newer kind of line, which this version does not show.
    }
  }

  /** As plain data for a `picture` line. O(everything). */
  toPlain(): RecordedPicture {
    const parts = this.#parts;
    return {
      status: parts.status,
      statusSinceMs: parts.statusSinceMs ?? null,
      regionStates: Array.from({ length: this.#shape.regions.count }, (_, region) => this.regionState(region) ?? null),
      attempts: parts.attempts.toPlain(),
      failovers: [...parts.failovers.all],
      lost: [...parts.lost.values()],
      distrusted: [...parts.distrusted],
      rejected: parts.rejected.toPlain(),
      notices: [...parts.notices],
      executors: [...parts.executors.values()],
      quarantined: [...parts.quarantined.values()],
      checkpoints: parts.checkpoints.value(),
      samples: [...parts.samples.all],
      charts: [...parts.charts.values()],
      actors: parts.announced.toPlain(),
      moves: { region: parts.moves.region.toPlain(), execution: parts.moves.execution.toPlain() },
      exact: [...parts.exact],
      traces: [...parts.traces],
      droppedLines: parts.droppedLines,
    };
  }

  #event(event: RecordedEvent): void {
    const parts = this.#parts;
    switch (event.type) {
      case 'job.statusChanged':
        parts.status = event.status;
        parts.statusSinceMs = event.atMs;
        return;
      case 'region.stateChanged':
        this.#regionChanged(event);
        return;
      case 'task.stateChanged':
        this.#taskChanged(event);
        return;
      case 'task.ended':
        parts.attempts.end(event);
        parts.rejected.next(event);
        return;
      case 'task.failed':
      case 'failover.decided':
      case 'failover.refused':
      case 'failover.completed':
        parts.failovers.next(event);
        return;
      case 'executor.registered': {
        const { executor, slots, atMs } = event;
        parts.executors.set(executor, {
          executor,
          slots: slots === Infinity ? null : slots,
          registeredMs: atMs,
          lostMs: null,
        });
        return;
      }
      case 'checkpoint.triggered':
      case 'checkpoint.completed':
      case 'checkpoint.failed':
      case 'checkpoint.restored':
        parts.checkpoints.next(event);
        return;
      case 'source.planned':
        return;
      default:
        if (event.type === 'job.resumed') parts.rejected.next(event);
        keepLatest(parts.notices, event, mostNotices);
        this.#notice(event);
    }
  }

  #regionChanged({ region, state }: Extract<RecordedEvent, { type: 'region.stateChanged' }>): void {
    const { regionStates: states, moves, exact, numbers } = this.#parts;
    moves.region.add(regionIndex(states[region]), regionIndex(state));
    states[region] = state;
    if (exact.size > 0) exact.delete(numbers.of({ chart: 'region', region }));
  }

  #taskChanged(event: Extract<RecordedEvent, { type: 'task.stateChanged' }>): void {
    const { vertex: task, attempt, state } = event;
    const { attempts, rejected, moves, exact, numbers } = this.#parts;
    if (state === 'deploying') this.#reproduce(task);
    moves.execution.add(attempts.next(event), executionStates.indexOf(state));
    rejected.next(event);
    if (exact.size > 0) exact.delete(numbers.of({ chart: 'execution', task, attempt }));
  }

  /** The exact states of a focused region or execution; none if the focus has ended. */
  #focused(actor: number, states: readonly string[]): void {
    if (actor >= 0) return;
    if (states.length === 0) this.#parts.exact.delete(actor);
    else this.#parts.exact.set(actor, states);
  }

  /** What a warning changes beside being shown. */
  #notice(event: RecordedEvent): void {
    const parts = this.#parts;
    if (event.type === 'region.quarantined') {
      const { region, atMs, task, failures, why, cause } = event;
      parts.quarantined.set(region, { region, atMs, task, failures, why, cause });
    } else if (event.type === 'region.released') parts.quarantined.delete(event.region);
    if (event.type === 'failover.overruled' || event.type === 'region.quarantined') parts.failovers.next(event);
    else if (event.type === 'partition.lost') {
      const { atMs, cause } = event;
      const partition = partitionCalled(event.partition, this.#shape);
      if (partition !== undefined) parts.lost.set(partition, { partition, atMs, cause });
    } else if (event.type === 'determinism.broken') {
      const vertex = this.#shape.graph.jobGraph.vertices.findIndex(({ id }) => event.task.startsWith(`${id}[`));
      if (vertex >= 0) parts.distrusted.add(vertex);
    } else if ('executor' in event) {
      const executor = parts.executors.get(event.executor);
      if (executor !== undefined) parts.executors.set(event.executor, { ...executor, ...executorChange(event) });
    }
  }

  /** A new attempt of a task writes its results. */
  #reproduce(task: number): void {
    const { lost } = this.#parts;
    if (lost.size === 0) return;
    for (const partition of this.#shape.graph.partitionsOf(task as never)) lost.delete(partition);
  }
}

function regionIndex(state: string | undefined): number {
  return regionStates.indexOf(state as (typeof regionStates)[number]);
}

function keepLatest<Item>(items: Item[], item: Item, most: number): void {
  if (items.push(item) > most) items.shift();
}
