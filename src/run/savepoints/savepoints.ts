import { awaitAnswer } from '../../checkpoints/await-answer.ts';
import type { CheckpointStorage, StoredPiece } from '../../checkpoints/checkpoint-storage.ts';
import type { StreamingComponent } from '../../checkpoints/streaming-components.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
import type { Environment } from '../../environment.ts';
import { SavepointFailedError } from '../../errors/savepoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { CheckpointId, ExecutionVertexId, JobVertexId, RunId } from '../../ids.ts';
import type { SavepointKind } from '../../partitions/stream-element.ts';
import type { JobCheckpoints } from '../../machines/checkpoint-coordinator/job-checkpoints.ts';
import type { SavepointStates } from '../../machines/checkpoint-coordinator/savepoint-order.ts';
import type { ReadStorage } from '../../operators/state/read-state.ts';
import { copyState } from '../../operators/state/state-copy.ts';
import type { TaskState } from '../../operators/state/task-state.ts';
import { sinksOf } from '../durable/output-parts.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import { DrainAgreement } from './drain-agreement.ts';
import { ExportedOutputs } from './exported-outputs.ts';
import type { SavepointPlaces } from './open-savepoint.ts';
import { emptyDirectory } from './savepoint-directory.ts';
import { preparedIn, StoppedOutput } from './stopped-output.ts';
import { outlinesOf, type SavepointContent, savepointScope, type SavepointTask } from './savepoint-content.ts';
import { SavepointWriting } from './savepoint-writing.ts';

/** A savepoint that is wanted. */
export interface WantedSavepoint {
  /** One that is empty, or does not exist. */
  readonly directory: string;
  /** What the tasks do after their barriers. */
  readonly kind: SavepointKind;
}

export interface SavepointsParts {
  readonly run: RunId;
  readonly plan: JobPlan;
  readonly shape: JobShape;
  readonly environment: Environment;
  /** undefined if the run takes no checkpoints. */
  readonly checkpoints: () => JobCheckpoints | undefined;
  /** Where its checkpoints are. */
  readonly storage: CheckpointStorage | undefined;
  /** How long the error of one that fails waits until nothing is left of it. */
  readonly timeoutMs: number;
  readonly planOf: (vertex: JobVertexId) => { readonly plan: unknown } | undefined;
  readonly places: SavepointPlaces;
}

/** A savepoint that is being written. */
interface SavepointCopy {
  readonly writing: SavepointWriting;
  readonly storage: CheckpointStorage;
  readonly tasks: Map<ExecutionVertexId, SavepointTask>;
  readonly outputs: ExportedOutputs;
  /** What the sinks of all tasks have prepared. */
  readonly prepared: ReturnType<typeof preparedIn>;
}

const theOnly = 1 as CheckpointId;

/**
 * Takes savepoints of a run: a checkpoint of each of its components, copied into a directory of its own. Without its
 * manifest, which comes last, a directory is no savepoint.
 *
 * - SV1 A savepoint refers to nothing outside its directory, and may be moved: also what sinks had prepared is in it.
 * - SV3 One that fails leaves nothing: its directory is its own until nothing is written there any more, and then removed.
 * - SV4 One that stops the run fails if a task begins anew before it is complete: that goes on, and may commit what comes after
 *   it, which whoever continues from it would commit again.
 */
export class Savepoints {
  /** That of the savepoint with which the run stops. */
  readonly stopped: StoppedOutput;
  readonly #parts: SavepointsParts;

  constructor(parts: SavepointsParts) {
    this.#parts = parts;
    this.stopped = new StoppedOutput(parts.environment);
  }

  /**
   * @param ended settles when the run has ended
   * @returns the absolute path of a complete savepoint
   * @throws InvalidArgumentError | IllegalStateError | SavepointFailedError (as a rejection)
   */
  take(wanted: WantedSavepoint, ended: Promise<unknown>): Promise<string> {
    const end = new AbortController();
    const fail = (): Promise<never> => {
      const error = hasEnded(wanted.directory);
      end.abort(error);
      return Promise.reject(error);
    };
    return Promise.race([this.#takeAlone(wanted, end), ended.then(fail, fail)]);
  }

  /** Two that write one directory, of this process or another, would remove each other's files. */
  async #takeAlone({ directory, kind }: WantedSavepoint, end: AbortController): Promise<string> {
    const path = emptyDirectory(directory);
    this.#checkpoints();
    const release = this.#parts.places.claim(path, directory);
    const writing = new SavepointWriting(end.signal);
    try {
      await this.#take(path, kind, writing);
    } catch (error) {
      end.abort(error);
      await this.#leaveNothing(path, writing, release);
      throw error;
    }
    release();
    return path;
  }

  /** SV3. Resolves early if that takes too long, such as the copy of a sink that does not end. */
  #leaveNothing(path: string, writing: SavepointWriting, release: () => void): Promise<void> {
    const { places, environment, timeoutMs } = this.#parts;
    const removed = writing.settled().then(() => places.remove(path));
    return new Promise((resolve) =>
      awaitAnswer(removed.finally(release), {
        ...{ clock: environment.clock, timeoutMs, who: path },
        ...{ done: resolve, failed: () => resolve() },
      }),
    );
  }

  /** Nobody waits for it any more once it is given up. */
  async #take(path: string, kind: SavepointKind, writing: SavepointWriting): Promise<void> {
    const checkpoints = this.#checkpoints();
    const storage = this.#parts.places.open(path);
    const copy: SavepointCopy = {
      ...{ writing, storage },
      tasks: new Map<ExecutionVertexId, SavepointTask>(),
      outputs: new ExportedOutputs(path),
      prepared: [],
    };
    const resuming: (() => void)[] = [];
    const goOn = (): void => {
      if (kind === 'stop') for (const resume of resuming) resume();
    };
    const commit = (): Promise<void> => this.#held(copy, () => this.#commit(copy, kind === 'drain'));
    const drain = kind === 'drain' ? new DrainAgreement(checkpoints.components.length, commit) : undefined;
    const broken = new AbortController();
    const outcomes = await Promise.allSettled(
      checkpoints.components.map(
        ({ id }) =>
          new Promise<void>((complete, fail) =>
            checkpoints.order(id, {
              kind,
              write: async (states) => {
                await this.#write(states, copy);
                await drain?.written();
              },
              drain,
              completed: (resume) => {
                resuming.push(resume);
                complete();
              },
              failed: ({ reason, cause }) => {
                const error = new SavepointFailedError(path, reason, cause?.message ?? inWords(reason), { cause });
                drain?.giveUp({ reason: reason === 'stopped' ? reason : 'storing', cause: error });
                fail(error);
              },
              restarted: () => broken.abort(new SavepointFailedError(path, 'failover', inWords('failover'))),
            }),
          ),
      ),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    try {
      if (failed !== undefined) throw failed.reason;
      broken.signal.throwIfAborted();
      if (drain === undefined) await untilAborted(commit(), broken.signal);
      writing.givenUp.throwIfAborted();
      if (kind === 'stop') this.stopped.take(copy.prepared);
    } catch (error) {
      goOn();
      if (error instanceof SavepointFailedError) throw error;
      const cause = toError(error);
      throw new SavepointFailedError(path, 'storing', cause.message, { cause });
    }
  }

  #checkpoints(): JobCheckpoints {
    const { checkpoints, shape } = this.#parts;
    const found = checkpoints();
    if (found === undefined) {
      throw new IllegalStateError(
        'A savepoint is a checkpoint, and this run takes none: give `job.run` the option `checkpoints`',
      );
    }
    const batch = found.components.find(({ writesCompleteResults }) => writesCompleteResults);
    if (batch !== undefined) {
      throw new IllegalStateError(
        `"${idOf(batch, shape)}" writes a result that is read once it is complete, which is in no savepoint: use a \`pipelined\`, \`memory\` or \`reliable\` exchange behind it`,
      );
    }
    return found;
  }

  async #write({ states, finished }: SavepointStates, copy: SavepointCopy): Promise<void> {
    const { writing, storage: to, tasks, outputs } = copy;
    const { shape, plan } = this.#parts;
    const storage = this.#parts.storage && readUntil(writing.givenUp, this.#parts.storage);
    const { graph } = shape;
    const sinks = sinksOf(plan);
    for (const vertex of finished) tasks.set(vertex, { kind: 'finished' });
    await this.#held(copy, async () => {
      for (const [vertex, { state }] of states) {
        writing.givenUp.throwIfAborted();
        const name = `${graph.jobVertexOf(vertex).id}.${graph.subtaskOf(vertex)}`;
        const place = { storage: to, name: { scope: savepointScope, checkpoint: theOnly, name } };
        const own = (sinks[graph.jobVertexIndexOf(vertex)] ?? []).map(({ sink }) => sink);
        const change = (read: TaskState): Promise<TaskState> => {
          copy.prepared.push(...preparedIn(read, own));
          return outputs.export(read, own);
        };
        tasks.set(
          vertex,
          state.kind === 'finished' ? state : await copyState({ storage, handle: state, change }, place),
        );
      }
    });
  }

  async #commit({ storage, tasks, outputs }: SavepointCopy, isDrained: boolean): Promise<void> {
    const { run, plan, shape, environment, planOf } = this.#parts;
    const { graph } = shape;
    const pieces: StoredPiece[] = [];
    for (const task of tasks.values()) {
      if (task.kind !== 'stored') continue;
      const { location, bytes, crc } = task;
      pieces.push({ location, bytes, crc });
    }
    const vertices = outlinesOf(plan).map((outline, index) => {
      const source = planOf(outline.id as JobVertexId);
      return {
        ...outline,
        ...(source && { source: { plan: source.plan } }),
        tasks: Array.from(
          { length: outline.parallelism },
          (_, subtask) => tasks.get(graph.vertexAt(index, subtask)) as SavepointTask,
        ),
      };
    });
    const content: SavepointContent = { format: 1, job: plan.name, run, vertices, ...(isDrained && { isDrained }) };
    const completedEpochMs = environment.clock.epochMs();
    await outputs.sync();
    await storage.commit({ scope: savepointScope, checkpoint: theOnly, completedEpochMs, pieces, content });
  }

  /** The clock cannot see this work: files are written and synced. */
  async #held<Result>({ writing }: SavepointCopy, work: () => Promise<Result>): Promise<Result> {
    const { places, environment } = this.#parts;
    const release = places.holdsTime ? environment.hold?.() : undefined;
    try {
      return await writing.part(work);
    } finally {
      release?.();
    }
  }
}

/** The states of a run, as long as somebody waits for them. */
function readUntil(givenUp: AbortSignal, storage: ReadStorage): ReadStorage {
  return { readChunk: (location, offset) => untilAborted(storage.readChunk(location, offset), givenUp) };
}

function hasEnded(directory: string): SavepointFailedError {
  return new SavepointFailedError(directory, 'stopped', inWords('stopped'));
}

function idOf({ heads }: StreamingComponent, { graph }: JobShape): string {
  return graph.jobVertexOf(heads[0] as ExecutionVertexId).id;
}

/** A reason of which nobody has said more. */
function inWords(reason: string): string {
  switch (reason) {
    case 'stopped':
      return 'the job has ended, or is ending';
    case 'failover':
      return 'a task of it restarts';
    case 'notAllRunning':
      return 'not all of its tasks ran within `checkpoints.timeoutMs`';
    case 'expired':
      return 'it took longer than `checkpoints.timeoutMs`';
    default:
      return `its checkpoint failed (${reason})`;
  }
}
