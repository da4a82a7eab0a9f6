import type { SubtaskRange } from '../../graph/distribution-pattern.ts';
import type { RunId } from '../../ids.ts';
import type { JobIdentity } from '../identity/job-identity.ts';
import type { StoredResult } from '../stored-result.ts';

/** A result of a finished task, by the index of its edge in the job's identity. */
export interface EntryResult {
  readonly edge: number;
  readonly stored: StoredResult;
}

/** A task, by the index of its vertex in the job's identity. */
export interface EntryTask {
  readonly vertex: number;
  readonly subtask: number;
}

/** Tasks of one vertex. */
export interface EntryTasks extends SubtaskRange {
  readonly vertex: number;
}

/** Number of records of an operator at which it failed, by what became of them. */
export interface EntryRejections {
  readonly operator: string;
  readonly skipped: number;
  readonly deadLetters: number;
  readonly replaced: number;
  /** How many it was given, if its errors are limited. */
  readonly records?: number;
}

/** What is known of a finished task. */
export interface TaskOutcome {
  /** Those of its results that outlive the process. */
  readonly results: readonly EntryResult[];
  /** Absent if there are none. */
  readonly rejected?: readonly EntryRejections[];
}

export interface FinishedTask extends EntryTask, TaskOutcome {}

/**
 * A run began, or goes on in a shorter journal. It takes over what earlier runs had finished, and everything before it is
 * history.
 */
export interface RunBeginning {
  readonly type: 'run.began';
  readonly run: RunId;
  readonly atMs: number;
  /** When the first of the runs began that continue each other up to this one. */
  readonly firstAtMs: number;
  readonly identity: JobIdentity;
  readonly finished: readonly FinishedTask[];
  /** By index of the vertex and subtask: the absolute paths of the files that its sinks write. */
  readonly parts: PartPaths;
  /** The plans of sources, by index of the vertex. */
  readonly plans: readonly (readonly [vertex: number, plan: unknown])[];
  /** The checkpoints of its streaming components; absent if it takes none. */
  readonly checkpoints?: readonly EntryCheckpoints[];
  /** Names, in their storage, of checkpoints of earlier runs that are to be removed; absent if there are none. */
  readonly staleCheckpoints?: readonly string[];
  /** The savepoint with which the first of the runs began; absent if it began without one. */
  readonly savepoint?: string;
  /** Its directory, as it was then. */
  readonly savepointDirectory?: string;
  /** The number of vital steps of its run that it stands for; absent if it begins. */
  readonly after?: number;
  /** No number up to this one is used again for a checkpoint, because results may have its barriers; absent: 0. */
  readonly lastCheckpoint?: number;
}

/** The series of checkpoints of a streaming component. */
export interface EntryCheckpoints {
  /** The first task at which its barriers start, */
  readonly head: EntryTask;
  /** and the vertices of its tasks. */
  readonly vertices: readonly number[];
  /** The name of the series in the storage of checkpoints. */
  readonly scope: string;
  /** Whether one of them has completed. */
  readonly hasCompleted: boolean;
  /** Numbers of those that nobody continues any more, because an earlier one was used instead; absent if there are none. */
  readonly lost?: readonly number[];
  /** Numbers of those of which a task could not read its state, while there was none before them; absent if there are none. */
  readonly doubted?: readonly number[];
  /** Those up to this one are of complete results that were produced anew. */
  readonly outdated?: number;
  /** Those before this one are not continued any more; absent: 0. */
  readonly from?: number;
}

/** By vertex and subtask: absolute paths of files. */
export type PartPaths = readonly (readonly (readonly string[])[])[];

/** What happens in a run. */
export type RunStep =
  | { readonly type: 'source.planned'; readonly vertex: number; readonly plan: unknown }
  /** Its results are safe, and the output of its sink is committed. */
  | ({ readonly type: 'task.finished' } & FinishedTask)
  /** Finished or not, these tasks run again. */
  | { readonly type: 'tasks.restarted'; readonly tasks: readonly EntryTasks[] }
  /** The first checkpoint of a series has completed. Which ones there are, their storage knows. */
  | { readonly type: 'checkpoints.began'; readonly head: EntryTask }
  /** One of a series could not be read, so its tasks continue from an earlier one, and sinks take back what came after that. */
  | { readonly type: 'checkpoints.lost'; readonly head: EntryTask; readonly checkpoint: number }
  /** One of a series could not be read, and there was none before it: the job fails. */
  | { readonly type: 'checkpoints.doubted'; readonly head: EntryTask; readonly checkpoint: number }
  /** Complete results that the tasks of a series read are produced anew: those up to this one are of what was there before. */
  | { readonly type: 'checkpoints.outdated'; readonly head: EntryTask; readonly upTo: number }
  /** Checkpoints get numbers up to this one, in whatever series. */
  | { readonly type: 'checkpoints.numbered'; readonly upTo: number }
  | { readonly type: 'run.ended'; readonly atMs: number; readonly status: RunEnd };

/**
 * What a run writes into its journal. The entries after the last `run.began` tell what a later run of the job can re-use.
 * Plain data; times are in ms since 1970.
 */
export type RunEntry =
  | RunBeginning
  | (RunStep & {
      /** Number of vital steps of its run before it. */
      readonly after: number;
    });

const vitalTypes: ReadonlySet<RunEntry['type']> = new Set([
  'run.began',
  'source.planned',
  'tasks.restarted',
  'checkpoints.lost',
  'checkpoints.outdated',
  'checkpoints.numbered',
]);

/** Whether the loss of an entry would make the books wrong: those are written twice. Other losses cost work alone. */
export function isVital({ type }: Pick<RunEntry, 'type'>): boolean {
  return vitalTypes.has(type);
}

/** How a run ended. */
export type RunEnd = 'finished' | 'incomplete' | 'failed' | 'canceled' | 'suspended';
