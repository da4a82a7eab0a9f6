import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { FailoverRule } from '../../failover/failover-strategy.ts';
import { type Restart, type RecoveryView, smallestRestart } from '../../failover/restart-proposal.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId } from '../../ids.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import { decide, failureOf, type RestartScope, restartScope } from './restart-scope.ts';
import { cut } from './text-table.ts';

/** What a running job adds to the assumption. */
export interface PresentState {
  readonly attemptOf: (vertex: ExecutionVertexId) => AttemptNumber;
  /** Whether a region has not begun its current attempt. */
  readonly isWaiting: (region: RegionId) => boolean;
  /** The reason to give if there is no rule to give one. */
  readonly why: string | undefined;
}

/** What a failure would restart, of a job that is planned or running. */
export class AssumedFailures {
  readonly #plan: Pick<JobPlan, 'name' | 'jobGraph'>;
  readonly #view: RecoveryView;
  /** undefined: the default rule, which can be asked about many regions at once. */
  readonly #rule: FailoverRule | undefined;
  readonly #present: PresentState | undefined;
  readonly #vertexByOperator: ReadonlyMap<string, number>;

  /**
   * @param view which results can be read
   * @param rule undefined for the default rule
   * @param present of a running job. Default: every region runs that does not wait for a complete result of a failed one
   */
  constructor(
    plan: Pick<JobPlan, 'name' | 'jobGraph' | 'chains'>,
    view: RecoveryView,
    rule: FailoverRule | undefined,
    present?: PresentState,
  ) {
    this.#plan = plan;
    this.#view = view;
    this.#rule = rule;
    this.#present = present;
    this.#vertexByOperator = new Map(plan.chains.flatMap((uids, index) => uids.map((uid) => [uid, index] as const)));
  }

  /**
   * What restarts if a task fails.
   *
   * @param name a task (`map-1[2]`), or a vertex or operator for all its tasks at once
   * @throws InvalidArgumentError for an unknown name.
   */
  whatRestarts(name: string): RestartScope {
    const { regions } = this.#view;
    const taskByRegion = new Map<RegionId, ExecutionVertexId>();
    for (const vertex of this.#tasksCalled(name)) taskByRegion.set(regions.regionOf(vertex), vertex);
    const failedRegions = new Set(taskByRegion.keys());
    const scope = (kind: RestartScope['kind'], restart: Pick<Restart, 'regions' | 'reads' | 'why'>): RestartScope =>
      restartScope(this.#view, { name, kind, failedRegions, isWaiting: this.#present?.isWaiting, ...restart });
    if (this.#rule === undefined) {
      return scope('restart', { ...smallestRestart(failedRegions, this.#view), why: this.#present?.why });
    }
    const restarted = new Set<RegionId>();
    const reads = new Set<PartitionId>();
    let why: string | undefined;
    for (const vertex of taskByRegion.values()) {
      if (restarted.size === regions.count) break;
      const attempt = this.#present?.attemptOf(vertex) ?? (0 as AttemptNumber);
      const decision = decide(this.#rule, failureOf(name, vertex, attempt), this.#view);
      why ??= decision.why;
      if (decision.kind === 'fail') return scope('fail', { regions: [], reads: [], why });
      for (const each of decision.regions) restarted.add(each);
      for (const each of decision.reads) reads.add(each);
    }
    return scope('restart', { regions: [...restarted], reads: [...reads], why });
  }

  #tasksCalled(name: string): ExecutionVertexId[] {
    const { graph } = this.#view;
    const { vertices } = this.#plan.jobGraph;
    const whole = this.#vertexByOperator.get(name);
    if (whole !== undefined) {
      return Array.from({ length: vertices[whole]?.parallelism ?? 0 }, (_, subtask) => graph.vertexAt(whole, subtask));
    }
    const [, called = '', digits = ''] = /^(.*)\[(\d+)\]$/su.exec(name) ?? [];
    const index = this.#vertexByOperator.get(called);
    const subtask = Number(digits);
    const vertex = index === undefined ? undefined : vertices[index];
    if (index === undefined || vertex === undefined) {
      const known = cut([...this.#vertexByOperator.keys()], 20).join(', ');
      throw new InvalidArgumentError('name', name, `a task, vertex or operator of job "${this.#plan.name}" (${known})`);
    }
    if (subtask >= vertex.parallelism) {
      const last = `${called}[${vertex.parallelism - 1}]`;
      throw new InvalidArgumentError('name', name, `a subtask from ${called}[0] to ${last}`);
    }
    return [graph.vertexAt(index, subtask)];
  }
}
