import type { KeepResults } from '../../src/graph/keep-results.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, PartitionId, RegionId, ResultPartitionId } from '../../src/ids.ts';
import type { ExecutionActorRef } from '../../src/machines/execution/execution-machine.ts';
import type { RegionActorRef } from '../../src/machines/region/region-machine.ts';
import { modeByPlan, planAfter, type RestartCommand, type RestartPlan } from '../../src/failover/restart-plan.ts';
import { restartCommands } from '../../src/failover/restart-proposal.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import { drawn, namesOf, taskOf } from '../graph/drawn-graph.ts';

/** The actor of an attempt, as far as the books use it. */
export const execution = (isTerminal: boolean, value = 'running') =>
  ({ getSnapshot: () => ({ value, hasTag: () => isTerminal }) }) as unknown as ExecutionActorRef;

/** The chart of a region, as far as the books use it: its plan, which `step` advances. */
class RegionStub {
  #plan: RestartPlan = 'new';
  state = 'running';

  step(step: RestartCommand | 'begin'): RestartPlan {
    this.#plan = planAfter[this.#plan][step];
    return this.#plan;
  }

  getSnapshot() {
    return {
      context: { plan: this.#plan },
      matches: ({ live }: { live: string }) => live === this.state,
    };
  }
}

/** Gives a ledger a stub for each of its regions. */
export function stubRegions(ledger: JobLedger): RegionStub[] {
  const stubs = Array.from({ length: ledger.regions.count }, () => new RegionStub());
  ledger.regionActors.push(...(stubs as unknown as RegionActorRef[]));
  return stubs;
}

/** Tells regions the decision of a failover, like the master. Returns what the ledger returns. */
export function restartRegions(
  ledger: JobLedger,
  stubs: readonly RegionStub[],
  modes: ReadonlyMap<RegionId, RestartCommand>,
): ResultPartitionId[] {
  const wanted = ledger.invalidate(modes);
  for (const [region, mode] of modes) stubs[region]?.step(mode);
  return wanted;
}

/** The books of a drawn job; each task is a separate region unless drawn otherwise. */
export class Books {
  readonly ledger: JobLedger;
  readonly regionStubs: RegionStub[];

  /** @param keep `keepResults` by edge; the last entry for all further ones */
  constructor(...given: readonly (string | { readonly keepResults: KeepResults })[]) {
    const graph = drawn(...given.filter((line) => typeof line === 'string'));
    const keep = given.find((line) => typeof line === 'object')?.keepResults;
    this.ledger = new JobLedger(graph, pipelinedRegions(graph), undefined, keep && (() => keep));
    this.regionStubs = stubRegions(this.ledger);
    this.ledger.scheduling.offer(Array.from({ length: this.ledger.regions.count }, (_, region) => region as RegionId));
  }

  task(name: string): ExecutionVertexId {
    return taskOf(this.ledger.graph, name);
  }

  region(task: string): RegionId {
    return this.ledger.regions.regionOf(this.task(task));
  }

  /** The chart of a task's region. */
  stub(task: string): RegionStub {
    return this.regionStubs[this.region(task)] as RegionStub;
  }

  /** The result that a task writes over its only edge. */
  result(task: string): PartitionId {
    return this.ledger.graph.partitionsOf(this.task(task))[0] as PartitionId;
  }

  /** The executor reports that a task's current result is incomplete. */
  truncate(task: string, partition = this.result(task)): void {
    this.ledger.results.truncated(this.ledger.presentResult(partition));
  }

  /** Begins the next attempt of a task, or the first. Returns its registrations. */
  begin(task: string): string {
    const { ledger } = this;
    const vertex = this.task(task);
    const attempt = (ledger.executions[vertex] === undefined ? 0 : ledger.attemptOf(vertex) + 1) as AttemptNumber;
    ledger.beginAttempt(vertex, attempt, execution(true));
    const plan = this.stub(task).step('begin');
    return ledger
      .beginRegistration(vertex, attempt, modeByPlan[plan])
      .map(({ id, origin }) => `#${id.attempt} ${origin}`)
      .join(' ');
  }

  /** A task runs to its end, and with it its region. Returns the tasks whose results are fully consumed. */
  run(...tasks: readonly string[]): string {
    const consumed = tasks.flatMap((task) => {
      this.begin(task);
      this.ledger.finishTask(this.task(task));
      return this.ledger.results.regionFinished(this.region(task));
    });
    return this.producersOf(consumed);
  }

  /**
   * A failover restarts the regions of these tasks; those in `again` reproduce their output, those in `waiting` have
   * not begun.
   */
  restart(tasks: readonly string[], again: readonly string[] = [], waiting: readonly string[] = []): void {
    const regionsOf = (names: readonly string[]) => names.map((task) => this.region(task));
    const restart = { regions: regionsOf(tasks), again: regionsOf(again), waiting: regionsOf(waiting) };
    restartRegions(this.ledger, this.regionStubs, restartCommands(restart));
    this.ledger.scheduling.offer(regionsOf(tasks));
  }

  producersOf(results: readonly (PartitionId | ResultPartitionId)[]): string {
    const { graph } = this.ledger;
    const partitionOf = (result: PartitionId | ResultPartitionId) =>
      typeof result === 'object' ? result.partition : result;
    return namesOf(
      graph,
      results.map((result) => graph.producerOf(partitionOf(result))),
    ).join(' ');
  }
}
