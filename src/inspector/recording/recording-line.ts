import type { EventWith } from '../../actors/event-with.ts';
import type { ExchangeName } from '../../graph/exchange-type.ts';
import type { JobVertex } from '../../graph/job-graph.ts';
import type { DistributionPattern } from '../../graph/distribution-pattern.ts';
import type { PlainError } from '../../plain-error.ts';
import type { ComponentCheckpointsReport } from '../../run/checkpoints/checkpoint-history.ts';
import type { FailoverReceipt } from '../../run/folds/job-receipt.ts';
import type { RejectedEntries } from '../../run/folds/rejected-tally.ts';
import type { JobMode } from '../../run/job-plan.ts';
import type { SampleLine } from './samples/sample-line.ts';

/** The version of the format. A reader refuses newer ones. */
export const recordingFormat = 2;

/**
 * One line of a recording. The same lines are written to a file, streamed to a page, and read back: a page looks the
 * same live and offline, because both are a fold over these lines.
 *
 * The first line is a `run`. A file that was rotated, or a stream that was joined late, continues with a `picture`, which
 * replaces everything before it. Times (`atMs`) are on the environment's clock of the run.
 */
export type RecordingLine =
  | RunLine
  | PictureLine
  | EventLine
  | ChangesLine
  | SampleLine
  | ChartLine
  | ActorsLine
  | TraceLine
  | GapLine;

/** The run and the immutable structure of its job. */
export interface RunLine {
  readonly type: 'run';
  readonly format: number;
  readonly run: string;
  readonly job: string;
  readonly mode: JobMode;
  /** What to add to `atMs` to get ms since 1970. */
  readonly epochMs: number;
  /** When the recording began. Earlier events are missing. */
  readonly atMs: number;
  readonly vertices: readonly RecordedVertex[];
  readonly edges: readonly RecordedEdge[];
  /** In bytes; undefined if there is no limit. */
  readonly memoryBudgetBytes: number | undefined;
  readonly diskBudgetBytes: number | undefined;
  /** Versions of the engine and of Node. */
  readonly versions: { readonly kintsugi: string; readonly node: string };
}

/** A job vertex; its index in `vertices` is used elsewhere. The execution graph is rebuilt from vertices and edges. */
export interface RecordedVertex extends Omit<JobVertex, 'id'> {
  readonly id: string;
  /** The uids of the steps that run in it as one loop. */
  readonly chain: readonly string[];
}

export interface RecordedEdge {
  /** Ids of job vertices. */
  readonly source: string;
  readonly target: string;
  readonly exchange: ExchangeName;
  readonly pattern: DistributionPattern;
  readonly partitioning: string;
}

/** A job event. Errors are plain, and values that the redaction hook has changed are changed here. */
export interface EventLine {
  readonly type: 'event';
  readonly event: RecordedEvent;
}

/**
 * The most frequent events, of one turn of the event loop, as numbers: new states of tasks and regions, and ends of
 * attempts. `eventsOf` reads them.
 */
export interface ChangesLine {
  readonly type: 'changes';
  /** When the first one happened. */
  readonly atMs: number;
  /**
   * One after the other: what (a state of a task by its index, of a region by its index + 32, or 64 for the end of an
   * attempt), which task or region, µs since `atMs`; for tasks then the attempt; for ends then records read and written.
   */
  readonly changes: readonly number[];
}

/** `JobEvent` with plain errors. */
export type RecordedEvent = EventWith<PlainError>;

/** A kind of chart, once: the definition that its actors share. */
export interface ChartLine {
  readonly type: 'chart';
  /** `region`, `execution`, `jobMaster`; of the user's machines, their id. */
  readonly chart: string;
  readonly definition: ChartState;
}

/** A state of a chart, with its transitions. Plain; guards and actions by name. */
export interface ChartState {
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly initial?: string;
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invokes: readonly string[];
  readonly tags: readonly string[];
}

export interface ChartTransition {
  /** The event; `''` for an eventless transition. */
  readonly event: string;
  readonly guard: string | undefined;
  /** Ids of target states, relative to the chart: `live.running`. Empty for one that stays. */
  readonly targets: readonly string[];
  readonly actions: readonly string[];
}

/**
 * Changes of actors in one turn of the event loop. Values only: no context and no children. Regions and executions are
 * not among them: their states are events of the job. Only while one is focused are its exact states.
 */
export interface ActorsLine {
  readonly type: 'actors';
  readonly atMs: number;
  readonly started: readonly RecordedActor[];
  /**
   * By number of the actor: its new state value, as paths of active leaves: `live.running`. Of a region or an execution,
   * no path ends the focus.
   */
  readonly states: readonly (readonly [actor: number, states: readonly string[]])[];
  readonly stopped: readonly number[];
}

export interface RecordedActor {
  /** Numbered by the recording, from 0; `ActorNumbers` has those of regions and executions, which are negative. */
  readonly actor: number;
  /** `<run>/<executor>/task/map[2]#3` */
  readonly id: string;
  /** The chart of a machine; undefined for promises, callbacks and transitions. */
  readonly chart: string | undefined;
  readonly parent: number | undefined;
}

/** What the focused actors received and did. */
export interface TraceLine {
  readonly type: 'trace';
  readonly atMs: number;
  readonly actor: number;
  /** The number of the sending actor; undefined if it came from outside. */
  readonly source: number | undefined;
  readonly event: string;
  /** The event without its type; encoded values. */
  readonly payload: unknown;
  /** Taken transitions, as `source state → event`. Empty: the actor ignored the event. */
  readonly taken: readonly { readonly source: string; readonly event: string; readonly guard: string | undefined }[];
  readonly actions: readonly string[];
  /** The context after it, encoded; absent if it has not changed. */
  readonly context?: unknown;
}

/** Lines were dropped, because a bound was reached. */
export interface GapLine {
  readonly type: 'gap';
  readonly atMs: number;
  readonly lines: number;
}

/** Everything that the lines so far amount to, in columns. */
export interface PictureLine {
  readonly type: 'picture';
  readonly atMs: number;
  readonly picture: RecordedPicture;
}

/** The plain form of a `RunPicture`. */
export interface RecordedPicture {
  readonly status: string;
  readonly statusSinceMs: number | null;
  /** By region; null if it has not said. */
  readonly regionStates: readonly (string | null)[];
  readonly attempts: AttemptColumns;
  /** In the order in which they began; bounded. */
  readonly failovers: readonly RecordedFailover[];
  /** Results that are lost and not yet being reproduced. */
  readonly lost: readonly LostResult[];
  /** Indexes of job vertices that were declared deterministic but are not. */
  readonly distrusted: readonly number[];
  /** Records that `onError` rejected, by task. */
  readonly rejected: RejectedEntries;
  /** Warnings and other events that the views show as they are, oldest first; bounded. */
  readonly notices: readonly RecordedEvent[];
  readonly executors: readonly RecordedExecutor[];
  /** Regions that were quarantined and not released; absent in older recordings. */
  readonly quarantined?: readonly RecordedQuarantine[];
  /** The latest checkpoints of each streaming component; absent in older recordings. */
  readonly checkpoints?: readonly ComponentCheckpointsReport<PlainError>[];
  /** Oldest first; the older, the sparser. */
  readonly samples: readonly SampleLine[];
  readonly charts: readonly ChartLine[];
  readonly actors: ActorColumns;
  /** How often regions and executions went from one state to another; absent in format 1, where `actors` has them. */
  readonly moves?: { readonly region: readonly NumberedMove[]; readonly execution: readonly NumberedMove[] };
  /** The exact states of focused regions and executions, by number of the actor. */
  readonly exact?: readonly (readonly [actor: number, states: readonly string[]])[];
  /** The latest lines of focused actors, oldest first; bounded. */
  readonly traces: readonly TraceLine[];
  /** Lines that were dropped. */
  readonly droppedLines: number;
}

/**
 * Attempts as parallel arrays, one entry per attempt in the order of their creation. `null` for a time not reached.
 */
export interface AttemptColumns {
  /** Index of the execution vertex. */
  readonly task: readonly number[];
  readonly attempt: readonly number[];
  readonly createdMs: readonly (number | null)[];
  readonly scheduledMs: readonly (number | null)[];
  readonly deployingMs: readonly (number | null)[];
  readonly runningMs: readonly (number | null)[];
  readonly cancelingMs: readonly (number | null)[];
  readonly endedMs: readonly (number | null)[];
  /** Index in `executionStates`. */
  readonly state: readonly number[];
  /** Counted when it has ended. */
  readonly recordsIn: readonly number[];
  readonly recordsOut: readonly number[];
}

/** A failure with the decision about it, its cost, and how it ended. */
export interface RecordedFailover {
  readonly failover: number;
  readonly failure: Extract<RecordedEvent, { type: 'task.failed' }>;
  /** The failover into whose restart it was merged; undefined if it is a root, or undecided. */
  readonly mergedInto?: number;
  readonly decided?: RecordedDecision;
  readonly refused?: Extract<RecordedEvent, { type: 'failover.refused' }>;
  /** Answers of the user's strategy or backoff that did not count; the first ones. */
  readonly overruled: readonly Extract<RecordedEvent, { type: 'failover.overruled' }>[];
  readonly completedMs?: number;
  /** The region that was quarantined because of it. */
  readonly quarantined?: number;
  readonly receipt: FailoverReceipt;
}

/** A decision to restart. */
export interface RecordedDecision {
  readonly atMs: number;
  readonly regions: readonly IdRange[];
  readonly again: readonly IdRange[];
  /** The results of other regions that the restarted regions re-read. */
  readonly reused: readonly IdRange[];
  readonly taskCount: number;
  readonly delayMs: number;
  readonly why: string | undefined;
  /** Absent if the backoff does not say. */
  readonly restartsLeft?: number;
  /** Regions of it that are quarantined, and those that wait for them; absent if none. */
  readonly quarantined?: readonly IdRange[];
  readonly heldUp?: readonly IdRange[];
}

/** Consecutive ids, from the first to the last. */
export type IdRange = readonly [first: number, last: number];

/** A lost result, by its partition. */
export interface LostResult {
  readonly partition: number;
  readonly atMs: number;
  readonly cause: PlainError;
}

/** A region that is quarantined. */
export type RecordedQuarantine = Pick<
  Extract<RecordedEvent, { type: 'region.quarantined' }>,
  'region' | 'atMs' | 'task' | 'failures' | 'why' | 'cause'
>;

export interface RecordedExecutor {
  readonly executor: string;
  /** null if there is no limit. */
  readonly slots: number | null;
  readonly registeredMs: number;
  readonly lostMs: number | null;
  /** Why it is lost; absent if it is not, and in older recordings. */
  readonly why?: string;
  /** When it was told to drain, and when it had; absent if not. */
  readonly drainingMs?: number;
  readonly drainedMs?: number;
}

/** Moves between states, by their indexes in `regionStates` or `executionStates`; -1 for none before. */
export type NumberedMove = readonly [from: number, to: number, count: number];

/** Actors as parallel arrays, one entry per actor in the order of their creation. */
export interface ActorColumns {
  readonly actor: readonly number[];
  readonly id: readonly string[];
  /** Index in `charts`, null for actors that are no machines. */
  readonly chart: readonly (number | null)[];
  readonly parent: readonly (number | null)[];
  /** Index in `states`. */
  readonly state: readonly number[];
  readonly startedMs: readonly number[];
  readonly stoppedMs: readonly (number | null)[];
  /** The names of charts, and the distinct state values of all actors. */
  readonly charts: readonly string[];
  readonly states: readonly (readonly string[])[];
  /** How often an actor of a chart went from one state value to another: indexes in `charts` and `states`. */
  readonly moves: readonly (readonly [chart: number, from: number, to: number, count: number])[];
}
