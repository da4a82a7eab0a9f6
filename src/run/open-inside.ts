import type { AnyActorRef, InspectionEvent } from 'xstate';
import type { ActorHost } from '../actors/actor-host.ts';
import { withInvoked } from '../actors/invoked-actors.ts';
import type { ExecutionState, RegionState } from '../actors/protocol/states.ts';
import type { Executors } from '../executors/executors.ts';
import type { RunServicesListener } from '../executors/shares/desks/run-services.ts';
import type { RunId } from '../ids.ts';
import { executionGroups } from '../machines/execution/execution-machine.ts';
import type { ExecutorConnections } from '../machines/connections/executor-connections.ts';
import type { JobLedger } from '../machines/job-master/job-ledger.ts';
import type { JobMasterActorRef } from '../machines/job-master/job-master-machine.ts';
import { regionGroups } from '../machines/region/region-setup.ts';
import { shownState } from '../machines/state-tap.ts';
import { presentExecutors } from './executors/present-executors.ts';
import type { JobShape } from './folds/job-shape.ts';
import type { RunFolds } from './folds/run-folds.ts';
import type { JobPlan } from './job-plan.ts';
import type { JobRun } from './job-run.ts';
import type { Observers } from './observers.ts';
import { type HeldStatistics, registerInside, type RunInside } from './run-inside.ts';
import type { FullDisk } from './full-disk.ts';
import { RunControls } from './run-controls.ts';
import type { ResolvedRunOptions } from './run-options.ts';

/** The parts of a run that its inside shows. */
interface InsideParts {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  readonly options: ResolvedRunOptions & { readonly run: RunId; readonly disk: FullDisk };
  readonly ledger: JobLedger;
  readonly actors: ActorHost;
  readonly master: JobMasterActorRef;
  readonly connections: ExecutorConnections;
  readonly executors: Executors;
  readonly observers: Observers;
  readonly folds: Pick<RunFolds, 'latest'>;
  /** Called for each message of an executor that is not valid. */
  readonly invalid: RunServicesListener['invalid'];
}

/** For the composition root: lets watchers see inside a run, which pays nothing until one does. */
export function openInside(run: JobRun, parts: InsideParts): void {
  const { plan, shape, options, ledger, actors, observers } = parts;
  const inspector = 'inspector';
  const inside: RunInside = {
    run: options.run,
    plan,
    shape,
    environment: options.environment,
    memoryBudgetBytes: options.memoryBudgetBytes,
    diskBudgetBytes: options.diskBudgetBytes,
    record: options.record,
    failoverRule: options.failoverRule,
    recovery: ledger,
    events$: run.eventsFor(inspector),
    pastEvents: () => parts.folds.latest.value(),
    inspect: (observer) => actors.inspect(observers.guard<InspectionEvent>(inspector, observer)),
    watch: (watcher) => actors.watch(watcher),
    observeExecutors: (observer) => parts.executors.observe(observer),
    messageInvalid: (executor, found) => parts.invalid(executor, found),
    actors: () => withInvoked(actorsOf(parts)),
    taskOf: (vertex) => {
      const execution = ledger.executions[vertex];
      const state = execution && shownState<ExecutionState>(execution.getSnapshot().value, executionGroups);
      return { attempt: ledger.attemptOf(vertex), state };
    },
    regionStateOf: (region) => {
      const actor = ledger.regionActors[region];
      return actor && shownState<RegionState>(actor.getSnapshot().value, regionGroups);
    },
    moving: () => parts.executors.moving(),
    held: () => heldStatistics(parts.executors),
    storage: () => run.storage(),
    executors: () => presentExecutors(parts),
    controls: new RunControls({
      ...{
        shape,
        master: parts.master,
        executors: parts.executors,
        connections: parts.connections,
        disk: options.disk,
      },
      status: () => run.status,
    }),
    observerFailed: (observer, cause) => observers.report(observer, cause),
  };
  registerInside(run, inside);
}

function* actorsOf({ actors, master, connections, executors, ledger }: InsideParts): Generator<AnyActorRef> {
  yield actors.ref;
  yield master;
  yield* connections.charts();
  yield* executors.actors();
  yield* ledger.regionActors;
  for (const execution of ledger.executions) if (execution !== undefined) yield execution;
}

function* heldStatistics({ held }: Executors): Generator<HeldStatistics> {
  for (const { output, sinceMs } of held) {
    const { records, memoryBytes, spilledBytes: diskBytes } = output.statistics();
    yield { partition: output.id.partition, records, memoryBytes, diskBytes, sinceMs };
  }
}
