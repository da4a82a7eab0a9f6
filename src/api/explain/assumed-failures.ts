import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { FailoverRule } from '../../failover/failover-strategy.ts';
import { asSmallestRestartRule } from '../../failover/strategies/smallest-restart.ts';
import { proposeAsked, type Restart, type RecoveryView, smallestRestart } from '../../failover/restart-proposal.ts';
import type { AttemptNumber, ExecutionVertexId, RegionId } from '../../ids.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import { ask, failureOf, type RestartScope, restartScope } from './restart-scope.ts';
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
    if (this.#rule === undefined || asSmallestRestartRule(this.#rule)?.saysWhy === false) {
      return scope('restart', { ...smallestRestart(failedRegions, this.#view), why: this.#present?.why });
    }
    const smallest = asSmallestRestartRule(this.#rule) && smallestRestart(failedRegions, this.#view);
    const isAlone = (region: RegionId): boolean => failedRegions.has(region) && regions.verticesOf(region).length === 1;
    if (smallest?.regions.every(isAlone)) return scope('restart', smallest);
    const asked = new Set<RegionId>();
    let why: string | undefined;
    for (const vertex of taskByRegion.values()) {
      if (asked.size === regions.count || (smallest && why !== undefined)) break;
      const attempt = this.#present?.attemptOf(vertex) ?? (0 as AttemptNumber);
      const answer = ask(this.#rule, failureOf(name, vertex, attempt), this.#view);
      why ??= answer.why;
      if (answer.kind === 'fail') return scope('fail', { regions: [], reads: [], why });
      for (const region of answer.regions) asked.add(region);
    }
    if (smallest !== undefined) return scope('restart', { ...smallest, why });
    return scope('restart', proposeAsked({ kind: 'restart', regions: asked, why }, this.#view));
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
