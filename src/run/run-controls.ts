import { isTerminalJobStatus, type JobStatus } from '../actors/protocol/states.ts';
import { InvalidArgumentError, IllegalStateError } from '../errors/usage-errors.ts';
import type { Executors } from '../executors/executors.ts';
import type { ExecutionVertexId, ExecutorId, PartitionId, RegionId } from '../ids.ts';
import type { ExecutorConnections } from '../machines/connections/executor-connections.ts';
import type { JobMasterActorRef } from '../machines/job-master/job-master-machine.ts';
import { checkOptions, milliseconds } from '../options.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { FullDisk } from './full-disk.ts';

/** The parts of a run that the controls steer. */
export interface RunControlsParts {
  readonly shape: JobShape;
  readonly master: Pick<JobMasterActorRef, 'send'>;
  readonly executors: Pick<Executors, 'kill' | 'names' | 'replace'>;
  readonly connections: Pick<ExecutorConnections, 'connected' | 'drain'>;
  readonly disk: FullDisk;
  readonly status: () => JobStatus;
}

/** How an executor is drained. */
export interface DrainOptions {
  /** How long its tasks may take to end, and its results to be read, in ms. Default 30 000. */
  readonly graceMs?: number | undefined;
  /** Whether another executor takes its place, from now on. Default true. */
  readonly replace?: boolean | undefined;
}

const defaultGraceMs = 30_000;

/** Longest injected wait, in ms. */
const mostDelayMs = 60_000;

/**
 * Steers a run from outside: restarts on request, and faults on purpose. Every method returns at once; what follows is in
 * the events of the run. A command that has become meaningless, because the task has ended in the meantime, has no effect.
 *
 * @throws InvalidArgumentError for an unknown region, task, partition or executor, or a number out of range
 * @throws IllegalStateError if the job has ended or ends (all methods)
 */
export class RunControls {
  readonly #parts: RunControlsParts;

  constructor(parts: RunControlsParts) {
    this.#parts = parts;
  }

  /** Also while the job fails: the last decision counts. */
  cancel(): void {
    const { status, master } = this.#parts;
    if (isTerminalJobStatus(status())) this.#checkRunning();
    master.send({ type: 'job.cancel' });
  }

  /** Restarts a task with all that must restart with it, at once: neither the strategy nor the backoff is asked. */
  restartTask(vertex: ExecutionVertexId): void {
    this.#checkTask(vertex);
    this.#send({ type: 'job.restartTask', vertex });
  }

  /** As `restartTask`, for a region, which may be quarantined. */
  restartRegion(region: RegionId): void {
    this.#checkRegion(region);
    this.restartTask(this.#parts.shape.regions.verticesOf(region)[0] as ExecutionVertexId);
  }

  /** Restarts a quarantined region, as `restartRegion`. No effect on others. */
  release(region: RegionId): void {
    this.#checkRegion(region);
    this.#send({ type: 'job.releaseRegion', region });
  }

  /** Ends the backoff of a restarting region. No effect on others. */
  skipBackoff(region: RegionId): void {
    this.#checkRegion(region);
    this.#send({ type: 'job.skipBackoff', region });
  }

  /** Fails the running attempt of a task as if its function had thrown. */
  failTask(vertex: ExecutionVertexId, message = 'Failed on purpose'): void {
    this.#checkTask(vertex);
    this.#send({ type: 'job.failTask', vertex, cause: new Error(message) });
  }

  /** Makes the running attempt of a task wait before each batch; 0 ends that. The next attempt is as fast as ever. */
  slowConsumer(vertex: ExecutionVertexId, delayMs: number): void {
    this.#checkTask(vertex);
    if (!(delayMs >= 0 && delayMs <= mostDelayMs)) {
      throw new InvalidArgumentError('delayMs', delayMs, `a number from 0 to ${mostDelayMs}`);
    }
    this.#send({ type: 'job.slowTask', vertex, delayMs });
  }

  /** Loses a result: consumers that read it continue, later ones make its producer run again. */
  losePartition(partition: PartitionId): void {
    const { partitionCount } = this.#parts.shape.graph;
    checkIndex('partition', partition, partitionCount);
    this.#send({ type: 'job.losePartition', partition, cause: new Error('Lost on purpose') });
  }

  /** Kills an executor with its tasks and results; another one replaces it. */
  loseExecutor(executor: ExecutorId): void {
    const { executors } = this.#parts;
    if (!executors.names.includes(executor)) {
      throw new InvalidArgumentError('executor', executor, `one of ${executors.names.join(', ')}`);
    }
    this.#checkRunning();
    executors.kill(executor, 'it was killed on purpose');
  }

  /**
   * Stops an executor gracefully: it gets no more tasks, those that it runs may end, and its results stay readable until
   * they are read. Then it goes. After the grace period it goes anyway, and what it still ran restarts elsewhere, as one
   * failure. No effect on one that is drained already.
   */
  drainExecutor(executor: ExecutorId, options: DrainOptions = {}): void {
    const { executors, connections } = this.#parts;
    checkOptions('drainExecutor', options, { graceMs: true, replace: true });
    const graceMs = milliseconds('graceMs', options.graceMs, defaultGraceMs);
    const { replace = true } = options;
    if (typeof replace !== 'boolean') throw new InvalidArgumentError('replace', replace, 'true or false');
    const offering = [...connections.connected()].filter(({ state }) => state === 'registered');
    if (!executors.names.includes(executor)) {
      throw new InvalidArgumentError('executor', executor, `one of ${executors.names.join(', ')}`);
    }
    this.#checkRunning();
    if (!offering.some((one) => one.executor === executor)) return;
    if (!replace && offering.length === 1) {
      throw new InvalidArgumentError('replace', replace, `true, because ${executor} is the only executor`);
    }
    connections.drain(executor, graceMs, replace);
    if (replace) executors.replace();
  }

  /** While the disk is full, tasks fail that write results to it. */
  fillDisk(isFull: boolean): void {
    this.#checkRunning();
    this.#parts.disk.isFull = isFull;
  }

  #send(event: Parameters<JobMasterActorRef['send']>[0]): void {
    this.#checkRunning();
    this.#parts.master.send(event);
  }

  #checkRunning(): void {
    const status = this.#parts.status();
    if (isTerminalJobStatus(status) || status === 'failing' || status === 'canceling') {
      throw new IllegalStateError(`The job is ${status}, so there is nothing left to steer`);
    }
  }

  #checkTask(vertex: ExecutionVertexId): void {
    checkIndex('vertex', vertex, this.#parts.shape.graph.vertexCount);
  }

  #checkRegion(region: RegionId): void {
    checkIndex('region', region, this.#parts.shape.regions.count);
  }
}

function checkIndex(name: string, index: number, count: number): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new InvalidArgumentError(name, index, `an integer from 0 to ${count - 1}`);
}
