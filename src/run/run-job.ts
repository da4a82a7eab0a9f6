import { ActorHost } from '../actors/actor-host.ts';
import { delayActor } from '../actors/delay-actor.ts';
import type { JobEvent } from '../actors/job-event.ts';
import { isTerminalJobStatus } from '../actors/protocol/states.ts';
import type { LinkPorts } from '../actors/local-link.ts';
import type { Clock, Logger } from '../environment.ts';
import { toError } from '../errors/thrown-value.ts';
import type { DataPlane } from '../executors/data-plane.ts';
import type { Executors } from '../executors/executors.ts';
import type { RunServicesListener } from '../executors/shares/desks/run-services.ts';
import { drawRunId, type ExecutionVertexId, type JobVertexId, type RunId } from '../ids.ts';
import { jobCharts } from '../machines/job-charts.ts';
import { createJobMaster } from '../machines/create-job-master.ts';
import { ExecutorConnections } from '../machines/connections/executor-connections.ts';
import { checkpointsOf } from '../machines/chart-services.ts';
import type { JobMasterActorRef } from '../machines/job-master/job-master-machine.ts';
import { JobLedger } from '../machines/job-master/job-ledger.ts';
import type { JobServices } from '../machines/job-services.ts';
import { DurableStore } from '../partitions/storage/durable-store.ts';
import { closeAll, closeInTurn, type CloseLimit } from '../operators/close-all.ts';
import { LocalErrorTallies } from '../operators/rejected/error-tallies.ts';
import { publishEvent } from './diagnostics.ts';
import { checkedFirst, checkpointingOf, scopeOfSeries, storageOf } from './checkpoints/checkpointing.ts';
import { OldCheckpoints, type OldCheckpointsOptions, removalOf } from './checkpoints/old-checkpoints.ts';
import { RunStorage } from './checkpoints/run-storage.ts';
import { DurableRun } from './durable/durable-run.ts';
import { resultsDirectory } from './durable/state-directory.ts';
import { FullDisk } from './full-disk.ts';
import { type JobShape, jobShape } from './folds/job-shape.ts';
import { logEvent } from './folds/log-event.ts';
import { ReopenedSources } from './folds/reopened-sources.ts';
import { runFolds } from './folds/run-folds.ts';
import type { JobPlan } from './job-plan.ts';
import { JobRun } from './job-run.ts';
import { Observers } from './observers.ts';
import { openInside } from './open-inside.ts';
import { RunClock } from './run-clock.ts';
import { checkWorkers, executorsOf, type RunExecutorsParts } from './executors/run-executors.ts';
import { insideOf } from './run-inside.ts';
import { type JobRunOptions, type ResolvedRunOptions, resolveRunOptions } from './run-options.ts';
import { beginWithSavepoint } from './savepoints/begin-with-savepoint.ts';
import { type SavepointPlaces, savepointFiles } from './savepoints/open-savepoint.ts';
import { Savepoints } from './savepoints/savepoints.ts';
import { speculationOf } from './executors/speculation-option.ts';
import { storageUse } from './storage-use.ts';

/** One for all runs, because XState recomputes a machine each time implementations are provided. */
const charts = jobCharts({ delay: delayActor });

/** Parts that a test may replace. */
export interface RunSeams {
  readonly dataPlane?: (plan: JobPlan, options: ResolvedRunOptions & { readonly run: RunId }) => DataPlane;
  /** Instead of executors in this process, or in worker threads. */
  readonly executors?: (parts: RunExecutorsParts) => Executors;
  /** How messages travel between the master and the executors. */
  readonly link?: (clock: Clock) => LinkPorts;
  /** Called instead of ending an executor that the master gave up, which lives on until `end` is called. */
  readonly lose?: (end: () => void, clock: Clock) => void;
  readonly savepoints?: SavepointPlaces;
  /** Called with the executors, and the master's connections to them, before they start. */
  readonly cluster?: (cluster: { readonly executors: Executors; readonly connections: ExecutorConnections }) => void;
}

/**
 * Runs a planned job: joins the charts, the executors and the data plane, and starts them.
 * @throws InvalidArgumentError for an option out of range.
 */
export function runJob(plan: JobPlan, runOptions: JobRunOptions = {}, seams: RunSeams = {}): JobRun {
  // Reported on a later turn, because listeners may not have subscribed yet.
  const observers = new Observers((observer, cause) =>
    clock.setImmediate(() => observe({ type: 'observer.failed', atMs: clock.now(), observer, cause })),
  );
  const options = guarded(checkWorkers(plan, resolveRunOptions(runOptions)), observers);
  const { run: id, cancellationTimeoutMs, inspect, environment } = options;
  const { clock, logger } = environment;
  const shape = jobShape(plan);
  const keepResults = (edge: number) => plan.exchanges[edge]?.keepResults ?? options.keepResults;
  const ledger = new JobLedger(shape.graph, shape.regions, id, keepResults);
  const durable = durableRun(plan, shape, options, (cause) => run.abandon(cause));
  const actors = ActorHost.root(id, { clock, inspect, failed: (cause) => run.fail(toError(cause)) });
  const invalid: RunServicesListener['invalid'] = (executor, found) =>
    observe({ type: 'message.invalid', atMs: clock.now(), receiver: 'master', executor, ...found });
  const executors = (seams.executors ?? executorsOf)({
    ...{ plan, shape, options, actors, dataPlane: seams.dataPlane?.(plan, options), link: seams.link?.(clock) },
    alive: (executor) => connections.noteAlive(executor),
    invalid,
    isNeeded: () => !isTerminalJobStatus(run.status),
    failed: (cause) => run.abandon(cause),
  });
  const folds = runFolds(shape, options);
  const leftOpen = (what: string): void =>
    observe({ type: 'closing.timedOut', atMs: clock.now(), task: undefined, what, timeoutMs: cancellationTimeoutMs });
  const ended = new AbortController();
  const parts = { ...options, plan, shape, ledger, master: () => master, places: seams.savepoints ?? savepointFiles };
  const savepoints = savepointsOf(parts);
  const run = new JobRun({
    ...{ run: id, shape, folds, clock },
    moving: () => executors.moving(),
    storage: () => storageUse(executors.held, shape, folds.snapshot, clock.now()),
    observers,
    controls: () => insideOf(run).controls,
    savepoints,
    begin: beginningOf(durable, { ...parts, ended: ended.signal, observe: (event) => observe(event) }),
    connect: (connected) => {
      connections.serve(master, actors);
      executors.connect((executor, port) => connections.accept(executor, port), connected);
    },
    dispose: () => disposed({ ...options, ended, durable, master, connections, executors, savepoints }, leftOpen),
    close: () => {
      actors.stop(master);
      actors.end();
      clock.close();
    },
    signal: options.signal,
  });
  const observe = watchedBy(run, { id, shape, logger, durable });
  const connections = connectionsTo(executors, run, { ...options, ledger, observe, master: () => master }, seams);
  seams.cluster?.({ executors, connections });
  const master = createJobMaster({
    ...{ ledger, environment, gateway: connections, charts, observe, actors },
    ...recoveryOf(plan, shape, options),
    speculation: speculationOf({ ...options, plan, shape, logger }),
  });
  openInside(run, { plan, shape, options, ledger, actors, master, connections, executors, observers, folds, invalid });
  run.start(master);
  return run;
}

/** The master's connections to the executors, and what becomes of one that the master has given up. */
function connectionsTo(
  executors: Executors,
  run: Pick<JobRun, 'status'>,
  {
    heartbeat,
    checkpoints,
    environment: { clock },
    ...parts
  }: Pick<ResolvedRunOptions, 'heartbeat' | 'checkpoints' | 'environment' | 'cancellationTimeoutMs'> & {
    readonly ledger: JobLedger;
    readonly observe: (event: JobEvent) => void;
    readonly master: () => JobMasterActorRef;
  },
  { lose = (end) => end() }: RunSeams,
): ExecutorConnections {
  const { ledger, observe, master, cancellationTimeoutMs } = parts;
  return new ExecutorConnections({
    ...{ ledger, clock, observe, cancellationTimeoutMs, slotLimit: executors.slotLimit },
    shareResults: executors.shareResults,
    ...(checkpoints && { checkpointReported: (report) => checkpointsOf(master())?.report(report) }),
    keep: (edges) => executors.kept.keep(edges),
    heartbeat: heartbeat && { machine: charts.heartbeat, settings: heartbeat },
    drained: (executor, why) => executors.giveUp(executor, why)(),
    lost: (executor, why) => {
      lose(executors.giveUp(executor, why), clock);
      clock.setImmediate(() => {
        if (!isTerminalJobStatus(run.status)) executors.replace();
      });
    },
  });
}

interface WatchedParts {
  readonly id: RunId;
  readonly shape: JobShape;
  readonly logger: Logger;
  readonly durable: DurableRun | undefined;
}

/** The single entry for events; all observers of the run are behind it. */
function watchedBy(run: JobRun, parts: WatchedParts): (event: JobEvent) => void {
  const { id, shape, logger, durable } = parts;
  const reopenedSources = new ReopenedSources(shape.graph);
  const observe = (event: JobEvent): void => {
    durable?.next(event);
    logEvent(logger, shape.job, event);
    run.observe(event);
    publishEvent(id, shape.job, event);
    const reopened = reopenedSources.after(event);
    if (reopened !== undefined) observe(reopened);
  };
  return observe;
}

/** The durable part of a run with a state directory. */
function durableRun(
  plan: JobPlan,
  shape: JobShape,
  options: ReturnType<typeof guarded>,
  failed: (cause: Error) => void,
): DurableRun | undefined {
  const { stateDirectory, durableStore } = options;
  if (stateDirectory === undefined || durableStore === undefined) return undefined;
  return new DurableRun(plan, shape, { ...options, stateDirectory, durableStore }, failed);
}

/** The parts of a run that savepoints are made of. */
type StartedParts = ReturnType<typeof guarded> & {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  readonly ledger: JobLedger;
  readonly master: () => JobMasterActorRef;
  readonly places: SavepointPlaces;
};

function savepointsOf({ checkpointStorage: storage, checkpoints, ledger, master, ...parts }: StartedParts): Savepoints {
  return new Savepoints({
    ...{ ...parts, storage },
    checkpoints: () => checkpointsOf(master()),
    timeoutMs: checkpoints?.timeoutMs ?? 0,
    planOf: (vertex) => ledger.sourcePlanOf(vertex),
  });
}

/** What a run does before anything else; undefined for nothing. */
function beginningOf(
  durable: DurableRun | undefined,
  parts: StartedParts & { readonly ended: AbortSignal; readonly observe: (event: JobEvent) => void },
): (() => Promise<void>) | undefined {
  const { savepoint, checkpointStorage: storage, plan, shape, ledger, master, run } = parts;
  if (durable !== undefined) return checkedFirst(() => takeOver(durable, parts), parts);
  if (savepoint === undefined || storage === undefined) return checkedFirst(undefined, parts);
  const scopeOf = (head: string): string => scopeOfSeries(plan.name, run, head);
  const old = new OldCheckpoints(parts);
  return checkedFirst(async () => {
    const { components, plans } = await beginWithSavepoint({ ...parts, savepoint, storage, scopeOf, old });
    checkpointsOf(master())?.takeOver(components);
    for (const [vertex, own] of plans) ledger.takePlan(shape.graph.jobGraph.vertices[vertex]?.id as JobVertexId, own);
  }, parts);
}

/** Takes over what an earlier run has finished. */
async function takeOver(
  durable: DurableRun,
  { errorTallies, ledger, master, observe }: StartedParts & { readonly observe: (event: JobEvent) => void },
): Promise<void> {
  const { restored, plans, checkpoints, resumed } = await durable.begin();
  ledger.restore(restored);
  checkpointsOf(master())?.takeOver(checkpoints.continued);
  for (const [vertex, plan] of plans) ledger.takePlan(vertex as JobVertexId, plan);
  for (const { vertex, by } of resumed?.rejected ?? []) {
    const subtask = ledger.graph.subtaskOf(vertex as ExecutionVertexId);
    for (const { operator, skipped, deadLetters, replaced, records = 0 } of by) {
      errorTallies.takeOver({ operator, subtask, errors: skipped + deadLetters + replaced, records });
    }
  }
  if (resumed !== undefined) observe(resumed);
  for (const event of checkpoints.unreadable) observe(event);
}

/** How the job recovers: what it decides, how long it waits, and from where it continues. */
function recoveryOf(
  plan: JobPlan,
  shape: JobShape,
  options: ReturnType<typeof guarded>,
): Pick<JobServices, 'failureHandling' | 'slotRequestTimeoutMs' | 'cancellationTimeoutMs' | 'checkpointing'> {
  const { failureClassifiers: classifiers, failureEnrichers: enrichers } = options;
  const { failoverStrategy, restartBackoff, backoffScope, quarantine, decisionDeadlineMs } = options;
  const deciders = { failoverStrategy, restartBackoff, backoffScope, quarantine };
  return {
    failureHandling: { ...deciders, classifiers, enrichers, decisionDeadlineMs },
    slotRequestTimeoutMs: options.slotRequestTimeoutMs,
    cancellationTimeoutMs: options.cancellationTimeoutMs,
    checkpointing: checkpointingOf({ ...options, plan, shape }, options.checkpointStorage),
  };
}

interface EndingParts extends OldCheckpointsOptions {
  /** Aborted here: a beginning that still goes on ends. */
  readonly ended: AbortController;
  readonly checkpointStorage?: RunStorage | undefined;
  readonly durable: DurableRun | undefined;
  readonly master: JobMasterActorRef;
  readonly connections: ExecutorConnections;
  readonly executors: Executors;
  readonly savepoints: Savepoints;
}

/**
 * Settles when the executors have stopped and released their resources, or the time limit has passed. Files that cannot be
 * removed do not change how the run ended, and what comes after them is done all the same.
 * @throws EndNotRecordedError (as a rejection)
 */
async function disposed(parts: EndingParts, leftOpen: CloseLimit['leftOpen']): Promise<void> {
  const { ended, durable, master, connections, executors, savepoints, run } = parts;
  ended.abort();
  const { environment, cancellationTimeoutMs: timeoutMs } = parts;
  const limit = { clock: environment.clock, timeoutMs, leftOpen };
  await durable?.recordEnd();
  const hasFinished = master.getSnapshot().matches('finished') && durable?.isRecorded !== false;
  const warn = (error: unknown): void =>
    environment.logger.warn(`The run leaves files behind: ${toError(error).message}`, { run });
  await new Promise<void>((resolve) => {
    const close = (done: () => void): void => {
      connections.stop(hasFinished, () => {
        executors.kept
          .end(hasFinished)
          // The files of the outputs are still claimed.
          .then(() => savepoints.stopped.commit())
          .then(() => executors.dispose())
          .then(done, (error: unknown) => (warn(error), done()));
      });
    };
    closeAll([{ what: 'the files of the run', close }], limit, resolve);
  });
  await closeInTurn(
    () => (durable === undefined ? removeCheckpoints(parts) : durable.close()),
    () => parts.checkpointStorage?.close(),
  );
}

async function removeCheckpoints({ master, checkpointStorage, ...options }: EndingParts): Promise<void> {
  if (checkpointStorage === undefined) return;
  const scopes = checkpointsOf(master)?.begunScopes ?? [];
  await new OldCheckpoints(options).tidy(scopes.map((scope) => removalOf(scope, checkpointStorage)));
}

/** The options of a run, and its id. Its observers are guarded, and its clock ends with it. */
function guarded(options: ResolvedRunOptions, observers: Observers) {
  const { environment } = options;
  const { clock, random, logger, freezeRecords } = environment;
  const faults = new FullDisk(environment.faults);
  const run = drawRunId(random);
  const storage = storageOf(options);
  const { stateDirectory } = options;
  return {
    ...options,
    run,
    disk: faults,
    checkpointStorage: storage && new RunStorage(storage),
    stateBackend: options.checkpoints?.stateBackend,
    errorTallies: new LocalErrorTallies(),
    durableStore:
      stateDirectory === undefined
        ? undefined
        : new DurableStore({ directory: resultsDirectory(stateDirectory), run, faults }),
    inspect: options.inspect && observers.guard('inspect', options.inspect),
    environment: Object.freeze({
      clock: new RunClock(clock),
      random,
      logger: observers.logger(logger),
      faults,
      freezeRecords,
      hold: () => environment.hold?.() ?? (() => {}),
    }),
  };
}
