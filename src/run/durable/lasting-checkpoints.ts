import { rmSync } from 'node:fs';
import type { ResumedCheckpoint } from '../../actors/checkpoint-event.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { Environment } from '../../environment.ts';
import { CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import type { CheckpointId, ComponentId, ExecutionVertexId, RunId } from '../../ids.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { EntryCheckpoints, RunBeginning } from '../../journal/run/run-entry.ts';
import type { ContinuedCheckpoints } from '../../machines/checkpoint-coordinator/component-checkpoints-options.ts';
import { fileCheckpoints } from '../../partitions/checkpoints/checkpoint-storages.ts';
import { checkpointsDirectory, scopeOfSeries } from '../checkpoints/checkpointing.ts';
import { OldCheckpoints, type Removal, removalOf } from '../checkpoints/old-checkpoints.ts';
import type { ResolvedCheckpoints } from '../checkpoints/checkpoints-option.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import type { ResumePolicy } from '../run-options.ts';
import {
  type CheckpointResume,
  type ComponentResume,
  decideCheckpoints,
  nothingAmiss,
  verticesOf,
} from './checkpoint-resume.ts';
import { type BegunWithSavepoint, beginWithSavepoint } from '../savepoints/begin-with-savepoint.ts';
import type { ChosenSavepoint } from '../savepoints/savepoint-option.ts';
import { seriesFrom } from './checkpoint-series.ts';
import type { ResumeDecision } from './resume-decision.ts';

export interface LastingCheckpointsOptions {
  readonly run: RunId;
  readonly stateDirectory: string;
  /** Undefined if the run takes none. */
  readonly checkpoints: ResolvedCheckpoints | undefined;
  /** Undefined if the run takes none. */
  readonly checkpointStorage: CheckpointStorage | undefined;
  readonly rerun: boolean;
  readonly resume: ResumePolicy;
  /** The savepoint with which it begins, unless it continues a run that did. */
  readonly savepoint: ChosenSavepoint | undefined;
  readonly environment: Environment;
  readonly cancellationTimeoutMs: number;
}

/** What the run itself and its events need of what is taken over. */
export interface TakenCheckpoints {
  readonly continued: ReadonlyMap<ComponentId, ContinuedCheckpoints>;
  readonly resumed: readonly ResumedCheckpoint[];
  readonly unreadable: readonly Extract<JobEvent, { type: 'checkpoint.unreadable' }>[];
}

/**
 * The checkpoints of a run that outlives its process: which of an earlier run it continues, and which are removed.
 *
 * LC1 A series is removed once the journal does not name it as one to continue, never before.
 * LC2 The journal names each series until it is removed, so that a later run removes what this one could not.
 * LC3 Of a series that goes on, each checkpoint that no run will continue is removed when the next run begins, if it was not before.
 */
export class LastingCheckpoints {
  readonly #plan: JobPlan;
  readonly #shape: JobShape;
  readonly #options: LastingCheckpointsOptions;
  readonly #storage: CheckpointStorage;
  readonly #old: OldCheckpoints;
  #resume: CheckpointResume | undefined;
  /** The savepoint with which the first of the runs began that this one continues. */
  #savepoint: Pick<RunBeginning, 'savepoint' | 'savepointDirectory'> = {};

  constructor(plan: JobPlan, shape: JobShape, options: LastingCheckpointsOptions) {
    this.#plan = plan;
    this.#shape = shape;
    this.#options = options;
    this.#old = new OldCheckpoints(options);
    this.#storage = options.checkpointStorage ?? fileCheckpoints(checkpointsDirectory(options.stateDirectory));
  }

  /**
   * Decides what to take over, by reading alone.
   * @throws CommittedOutputError | NoCheckpointLeftError | CheckpointStorageError | CheckpointFormatError (as a rejection)
   */
  async decide(books: RunBooks | undefined, decision: ResumeDecision): Promise<void> {
    const { rerun, checkpoints, resume: policy, savepoint, stateDirectory } = this.#options;
    const requiredOf = policy === 'require' && savepoint === undefined ? stateDirectory : undefined;
    const resume = await decideCheckpoints({
      ...{ plan: this.#plan, shape: this.#shape, books, decision, rerun, requiredOf },
      ...{ storage: this.#storage, isOn: checkpoints !== undefined },
    });
    if (resume.refusal !== undefined) throw resume.refusal;
    this.#resume = resume;
    const { savepoint: id, savepointDirectory: from } = decision.earlier ?? {};
    this.#savepoint = {
      ...(id !== undefined && { savepoint: id }),
      ...(from !== undefined && { savepointDirectory: from }),
    };
  }

  /**
   * Begins with a savepoint instead, which becomes the checkpoints of the run. Returns the plans of its sources.
   * @throws as {@link beginWithSavepoint}
   */
  async begin(savepoint: ChosenSavepoint, ended: AbortSignal): Promise<BegunWithSavepoint['plans']> {
    const { environment } = this.#options;
    const resume = this.#resume as CheckpointResume;
    const { lastNumber, components } = resume;
    const begun = await beginWithSavepoint({
      ...{ savepoint, plan: this.#plan, shape: this.#shape, storage: this.#storage, environment, lastNumber },
      ...{ old: this.#old, ended },
      scopeOf: (head) => this.#scopeOf(head),
    });
    this.#savepoint = { savepoint: begun.id, savepointDirectory: savepoint.directory };
    this.#resume = {
      ...resume,
      lastNumber: (lastNumber + 1) as CheckpointId,
      components: components.map((one): ComponentResume => {
        const { scope, retained } = begun.components.get(one.component.id) ?? {};
        if (scope === undefined || retained === undefined) return one;
        const completedAtMs = retained.at(-1)?.completedMs;
        return { ...one, ...nothingAmiss, scope, retained, completedAtMs, hasCompleted: true };
      }),
    };
    return begun.plans;
  }

  /** The components that begin anew, and those that continue one that an earlier run has begun. */
  partsOf({ restored }: Pick<ResumeDecision, 'restored'>): {
    readonly anew: readonly ComponentResume[];
    readonly goOn: boolean;
  } {
    const { components = [] } = this.#resume ?? {};
    const runs = components.filter(({ component }) => component.regions.some((region) => !restored.has(region)));
    const anew = runs.filter(({ scope }) => scope === undefined);
    return { anew, goOn: restored.size > 0 || anew.length < runs.length };
  }

  /** What the journal says of them when the run begins. LC2 */
  get entries(): Pick<
    RunBeginning,
    'checkpoints' | 'staleCheckpoints' | 'lastCheckpoint' | 'savepoint' | 'savepointDirectory'
  > {
    const { stale = [], lastNumber = 0 } = this.#resume ?? {};
    const checkpoints = this.#series();
    return {
      ...this.#savepoint,
      ...(checkpoints.length > 0 && { checkpoints }),
      ...(stale.length > 0 && { staleCheckpoints: stale }),
      ...(lastNumber > 0 && { lastCheckpoint: lastNumber }),
    };
  }

  /** LC1. The journal has begun: removes what nobody continues, and what crashed writers left. */
  async sweep(): Promise<void> {
    const { components = [], stale = [], lastNumber = 0 } = this.#resume ?? {};
    const before = (lastNumber + 1) as CheckpointId;
    const unneeded = components.flatMap(({ scope, retained, unused }): Removal[] => {
      if (scope === undefined) return [];
      const dropped = [...unused, ...retained.slice(0, -this.#retainedCount).map(({ id }) => id)];
      const discards = dropped.map((checkpoint) => () => this.#storage.discard(scope, checkpoint));
      return [{ scope, steps: [...discards, () => this.#storage.sweep(scope, before)] }];
    });
    await this.#old.tidy([...stale.map((scope) => removalOf(scope, this.#storage)), ...unneeded]);
  }

  /** What the run takes over. */
  get taken(): TakenCheckpoints {
    const { components = [], lastNumber = 0 as CheckpointId } = this.#resume ?? {};
    const continued = new Map(
      components.map(({ component, head, scope, retained }) => [
        component.id,
        { scope: scope ?? this.#scopeOf(head), lastNumber, retained: retained.slice(-this.#retainedCount) },
      ]),
    );
    return {
      continued,
      resumed: components.flatMap((one) => resumedCheckpoint(one)),
      unreadable: components.flatMap((one) => this.#unreadable(one)),
    };
  }

  /** The job has finished: removes all. Returns the names of those that could not be removed. LC2 */
  async remove(): Promise<readonly string[]> {
    const { stateDirectory, checkpoints } = this.#options;
    const scopes = [...this.#series().map((series) => series.scope), ...(this.#resume?.stale ?? [])];
    const left = await this.#old.tidy(scopes.map((scope) => removalOf(scope, this.#storage)));
    // Empty directories, and what lost journals named.
    const isOwn = checkpoints?.storage === undefined && left.length === 0;
    if (isOwn) rmSync(checkpointsDirectory(stateDirectory), { recursive: true, force: true });
    return left;
  }

  get #retainedCount(): number {
    return this.#options.checkpoints?.retained ?? 1;
  }

  #scopeOf(head: string): string {
    return scopeOfSeries(this.#plan.name, this.#options.run, head);
  }

  #series(): EntryCheckpoints[] {
    if (this.#options.checkpoints === undefined) return [];
    const { graph } = this.#shape;
    return (this.#resume?.components ?? []).map(({ component, head, scope, hasCompleted, lost, outdated, ...one }) => {
      const first = component.heads[0] as ExecutionVertexId;
      const series = {
        head: { vertex: graph.jobVertexIndexOf(first), subtask: graph.subtaskOf(first) },
        vertices: verticesOf(component, this.#shape),
        scope: scope ?? this.#scopeOf(head),
        hasCompleted: scope !== undefined && hasCompleted,
        ...{ lost, from: one.from },
        ...(outdated > 0 && { outdated }),
      };
      return seriesFrom(series, one.retained.slice(-this.#retainedCount)[0]?.id ?? 0);
    });
  }

  #unreadable({ component, head, damaged, retained }: ComponentResume): TakenCheckpoints['unreadable'] {
    const atMs = this.#options.environment.clock.now();
    const instead = retained.at(-1)?.id;
    const newer = damaged.filter(({ checkpoint }) => checkpoint > (instead ?? 0));
    return newer.map(({ checkpoint, location, problem }) => ({
      ...{ type: 'checkpoint.unreadable', atMs, component: component.id, head, kind: 'checkpoint', checkpoint },
      ...{ cause: new CheckpointUnreadableError(location, problem), instead },
    }));
  }
}

/** What the events and `explain` say of a component; empty if there was no checkpoint. */
export function resumedCheckpoint({
  component,
  head,
  retained,
  completedAtMs,
  why,
}: ComponentResume): ResumedCheckpoint[] {
  const latest = retained.at(-1);
  const about = { component: component.id, head, taskCount: component.tasks.length };
  if (latest !== undefined && completedAtMs !== undefined) return [{ ...about, checkpoint: latest.id, completedAtMs }];
  return why === undefined ? [] : [{ ...about, why }];
}
