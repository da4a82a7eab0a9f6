import { inspect, isDeepStrictEqual } from 'node:util';
import type { JobEvent } from '../actors/job-event.ts';
import type { RunFolds } from '../run/folds/run-folds.ts';
import type { JobRun } from '../run/job-run.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';
import { SpeculationRules } from './speculation/speculation-rules.ts';
import { quarantineViolations } from './quarantine/quarantine-rules.ts';
import { type ExecutionState, isTerminalExecutionState } from '../actors/protocol/states.ts';

/** The states from which an execution may enter each state. (Flink: `ExecutionState`.) */
const predecessors: Readonly<Record<ExecutionState, readonly (ExecutionState | 'none')[]>> = {
  created: ['none'],
  scheduled: ['created'],
  deploying: ['scheduled'],
  initializing: ['deploying'],
  running: ['initializing'],
  finished: ['deploying', 'initializing', 'running'],
  canceling: ['created', 'scheduled', 'deploying', 'initializing', 'running'],
  canceled: ['created', 'scheduled', 'deploying', 'initializing', 'running', 'canceling'],
  failed: ['created', 'scheduled', 'deploying', 'initializing', 'running'],
};

/**
 * The history of a run, checked against the rules of every run.
 *
 * Rules:
 * - H1 An execution only takes transitions of its chart.
 * - H2 The attempts of a task are numbered from 0 without gaps, and a new one begins after the old one has ended; only a
 *   second attempt of a slow task begins beside the first.
 * - H3 A region restarts only if a failover decided it; in a region that no failover named, each task runs once, beside
 *   second attempts.
 * - H4 A task starts only when every complete result it reads is of its producer's current attempt.
 * - H5 When the job has finished, every task's last attempt has finished.
 * - H6, H7 See {@link quarantineViolations}. Of second attempts see {@link SpeculationRules}.
 */
export class JobHistory {
  readonly events: JobEvent[] = [];

  add(event: JobEvent): void {
    this.events.push(event);
  }

  /** The violated rules, one line per violation. */
  violations(graph: ExecutionGraph, regions: PipelinedRegions): string[] {
    const found: string[] = [];
    const tasks = new Map<number, { attempt: number; state: ExecutionState; finishedAttempt: number }>();
    const restarts = new Map<RegionId, number>();
    const speculation = new SpeculationRules();
    let status = '';
    for (const [index, event] of this.events.entries()) {
      const complain = (rule: string, problem: string): void => {
        found.push(`${rule} at event ${index}: ${problem}`);
      };
      if (event.type === 'job.statusChanged') status = event.status;
      if (event.type === 'failover.decided') {
        for (const region of event.regions) restarts.set(region, (restarts.get(region) ?? 0) + 1);
      }
      if (event.type === 'task.speculated' || event.type === 'speculation.decided') {
        const before = tasks.get(event.vertex);
        const problem = speculation.next(event, before);
        if (problem !== undefined) complain('H8', problem);
        // The present attempt is another one from now on.
        if (before !== undefined && event.type === 'speculation.decided' && event.attempt !== before.attempt) {
          tasks.set(event.vertex, { ...before, attempt: event.attempt, state: 'initializing' });
        }
        continue;
      }
      if (event.type !== 'task.stateChanged') continue;
      const { vertex, attempt, task } = event;
      const state = event.state;
      const before = tasks.get(vertex);
      const isNew = before === undefined || before.attempt !== attempt;
      if (isNew) {
        const expected = before === undefined ? 0 : speculation.attemptAfter(vertex, before.attempt);
        if (attempt !== expected) complain('H2', `${task} begins attempt ${attempt}, not ${expected}`);
        if (before !== undefined && !isTerminalExecutionState(before.state)) {
          complain('H2', `${task} begins attempt ${attempt} while the one before is ${before.state}`);
        }
        const region = regions.regionOf(vertex as ExecutionVertexId);
        if (attempt > (restarts.get(region) ?? 0) + speculation.countOf(vertex)) {
          complain('H3', `${task} restarts, and no failover decided that for region ${region}`);
        }
      }
      const from = isNew ? 'none' : before.state;
      if (!predecessors[state].includes(from)) complain('H1', `${task}#${attempt} goes from ${from} to ${state}`);
      if (state === 'deploying') {
        for (const missing of missingInputs(graph, vertex as ExecutionVertexId, tasks)) {
          complain('H4', `${task}#${attempt} is deployed before ${missing} has finished`);
        }
      }
      const finishedAttempt = state === 'finished' ? attempt : (before?.finishedAttempt ?? -1);
      tasks.set(vertex, { attempt, state, finishedAttempt });
    }
    if (status === 'finished') {
      for (const [vertex, { state }] of tasks) {
        if (state === 'finished') continue;
        found.push(`H5: the job finished, and ${graph.nameOf(vertex as ExecutionVertexId)} is ${state}`);
      }
      if (tasks.size !== graph.vertexCount) found.push(`H5: ${tasks.size} of ${graph.vertexCount} tasks were seen`);
    }
    return [...found, ...quarantineViolations(this.events, graph, regions)];
  }
}

/** Producers of complete results whose current attempt has not finished. */
function missingInputs(
  graph: ExecutionGraph,
  vertex: ExecutionVertexId,
  tasks: ReadonlyMap<number, { readonly attempt: number; readonly finishedAttempt: number }>,
): string[] {
  const missing: string[] = [];
  graph.forEachConsumedGroup(vertex, (group) => {
    if (graph.exchangeOfGroup(group).consumption !== 'after-producer-finished') return;
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const task = tasks.get(producer);
      if (task === undefined || task.finishedAttempt !== task.attempt) missing.push(graph.nameOf(producer as never));
    }
  });
  return missing;
}

/**
 * Where the snapshot, receipt and failures of an ended run differ from folds over its events; a recording must tell
 * as much as the run itself. The given folds took the events as they came, before user code could change an error.
 */
export function unrecorded(run: JobRun, { snapshot, receipt, failures }: RunFolds): string[] {
  const told = { snapshot: run.snapshot(), receipt: plain(run.receipt()), failures: run.failures };
  const recorded = { snapshot: snapshot.value(), receipt: plain(receipt.value()), failures: failures.value() };
  return (['snapshot', 'receipt', 'failures'] as const).flatMap((part) =>
    isDeepStrictEqual(told[part], recorded[part])
      ? []
      : [
          `its ${part} is ${inspect(told[part], { depth: 5 })}; by its events it is ${inspect(recorded[part], { depth: 5 })}`,
        ],
  );
}

/** Without the functions, which are each receipt's own. */
function plain({ toString: _, ...receipt }: ReturnType<JobRun['receipt']>): object {
  return receipt;
}
