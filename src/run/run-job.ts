import { ActorHost } from '../actors/actor-host.ts';
import { delayActor } from '../actors/delay-actor.ts';
import type { JobEvent } from '../actors/job-event.ts';
import type { DataPlane } from '../executors/data-plane.ts';
import type { LinkPorts } from '../actors/local-link.ts';
import { LocalDataPlane } from '../executors/local-data-plane.ts';
import { LocalExecutors } from '../executors/local-executors.ts';
import type { Clock } from '../environment.ts';
import { toError } from '../errors/thrown-value.ts';
import { ExceptionHistory } from '../failover/exception-history.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import type { KeepResults } from '../graph/keep-results.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import { drawRunId, type RunId } from '../ids.ts';
import { ExecutorConnections } from '../machines/job-master/executor-connections.ts';
import { JobLedger } from '../machines/job-master/job-ledger.ts';
import { createJobMaster } from '../machines/job-master/create-job-master.ts';
import { closeAll } from '../operators/close-all.ts';
import type { JobPlan } from './job-plan.ts';
import { ReceiptBook } from './receipt-book.ts';
import { ReopenedSources } from './reopened-sources.ts';
import { JobRun } from './job-run.ts';
import { logEvent } from './log-event.ts';
import { Observers } from './observers.ts';
import { RunClock } from './run-clock.ts';
import { storageUse } from './storage-use.ts';
import { type JobRunOptions, type ResolvedRunOptions, resolveRunOptions } from './run-options.ts';

/** What a test may put in place of the machine's own. */
export interface RunSeams {
  readonly dataPlane?: (plan: JobPlan, options: ResolvedRunOptions & { readonly run: RunId }) => DataPlane;
  /** How messages travel between the master and the executors. */
  readonly link?: (clock: Clock) => LinkPorts;
  /** Gets the executors, and the master's connections to them, before they start. */
  readonly cluster?: (cluster: {
    readonly executors: LocalExecutors;
    readonly connections: ExecutorConnections;
  }) => void;
}

/**
 * Runs a planned job in this process: joins the charts, the cluster and the data plane, and starts them.
 * @throws InvalidArgumentError for an option out of range.
 */
export function runJob(plan: JobPlan, runOptions: JobRunOptions = {}, seams: RunSeams = {}): JobRun {
  // On a turn of its own: whoever wants to hear of it may have yet to subscribe.
  const observers = new Observers((observer, cause) => {
    const { clock } = environment;
    clock.setImmediate(() => observe({ type: 'observer.failed', atMs: clock.now(), observer, cause }));
  });
  const resolved = guarded(resolveRunOptions(runOptions), observers);
  const { environment } = resolved;
  const options = { ...resolved, run: drawRunId(environment.random) };
  const graph = new ExecutionGraph(plan.jobGraph);
  const keepResults = (edge: number): KeepResults => plan.exchanges[edge]?.keepResults ?? options.keepResults;
  const ledger = new JobLedger(graph, pipelinedRegions(graph), options.run, keepResults);
  const dataPlane = seams.dataPlane?.(plan, options) ?? new LocalDataPlane(plan, options);
  const { cancellationTimeoutMs: timeoutMs } = options;
  const leftOpen = (what: string): void =>
    observe({ type: 'closing.timedOut', atMs: environment.clock.now(), task: undefined, what, timeoutMs });
  const actors = ActorHost.root(options.run, {
    clock: environment.clock,
    inspect: options.inspect,
    failed: (cause) => run.fail(toError(cause)),
  });
  const executors = new LocalExecutors({
    clock: environment.clock,
    dataPlane,
    actors,
    executors: options.executors,
    slots: options.slots,
    ...(seams.link && { link: seams.link(environment.clock) }),
  });
  const book = new ReceiptBook(
    plan.name,
    ledger,
    (partition) => {
      const held = executors.resultOf(partition)?.statistics();
      return held && { records: held.records, bytes: held.memoryBytes + held.spilledBytes };
    },
    {
      isSource: (jobVertex) => plan.programs[jobVertex]?.source !== undefined,
      nowMs: () => environment.clock.now(),
      moving: () => executors.moving(),
    },
  );
  const run = new JobRun({
    job: plan.name,
    ledger,
    book,
    history: new ExceptionHistory(options.exceptionHistorySize),
    storage: () => storageUse(executors.held, ledger, environment.clock.now()),
    observers,
    dispose: () =>
      new Promise((resolve, reject) => {
        const close = (done: () => void): void => {
          connections.stop();
          executors.dispose().then(done, reject);
        };
        const limit = { clock: environment.clock, timeoutMs, leftOpen };
        closeAll([{ what: 'what the run holds on disk', close }], limit, resolve);
      }),
    close: () => {
      actors.stop(master);
      actors.end();
      environment.clock.close();
    },
    signal: options.signal,
  });
  const reopenedSources = new ReopenedSources(graph);
  const observe = (event: JobEvent): void => {
    logEvent(environment.logger, plan.name, event);
    run.observe(event);
    const reopened = reopenedSources.after(event);
    if (reopened !== undefined) observe(reopened);
  };
  const connections = new ExecutorConnections({
    ledger,
    clock: environment.clock,
    slotLimit: executors.slotLimit,
    observe,
    cancellationTimeoutMs: timeoutMs,
    taskEnded: (vertex, statistics) => {
      book.noteMoved(vertex, statistics);
      if (!statistics.isCurtailed) return;
      const [atMs, task] = [environment.clock.now(), graph.nameOf(vertex)];
      observe({ type: 'task.curtailed', atMs, task, vertex, records: statistics.recordsOut });
    },
  });
  seams.cluster?.({ executors, connections });
  const master = createJobMaster({
    ledger,
    environment,
    gateway: connections,
    delay: delayActor,
    observe,
    actors,
    failureHandling: {
      failoverStrategy: options.failoverStrategy,
      restartBackoff: options.restartBackoff,
      backoffScope: options.backoffScope,
      classifiers: options.failureClassifiers,
      enrichers: options.failureEnrichers,
      decisionDeadlineMs: options.decisionDeadlineMs,
    },
    slotRequestTimeoutMs: options.slotRequestTimeoutMs,
    cancellationTimeoutMs: options.cancellationTimeoutMs,
  });
  run.start(master, {
    immediate: (callback) => environment.clock.setImmediate(callback),
    connect: (started) => {
      dataPlane.begin?.();
      connections.serve(master);
      executors.connect((executor, port) => connections.accept(executor, port));
      // After they have said how many slots they offer: tasks are spread over all of them.
      environment.clock.setImmediate(started);
    },
  });
  return run;
}

/** The options of a run with those who only watch it made harmless, and a clock that ends with it. */
function guarded(options: ResolvedRunOptions, observers: Observers) {
  const { environment } = options;
  const { clock, random, logger, faults, freezeRecords } = environment;
  return {
    ...options,
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
