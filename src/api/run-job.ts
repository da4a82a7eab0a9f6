import { delayActor } from '../actors/delay-actor.ts';
import type { JobEvent } from '../actors/job-event.ts';
import { LocalCluster } from '../cluster/local-cluster.ts';
import type { DataPlane } from '../cluster/data-plane.ts';
import { LocalDataPlane } from '../cluster/local-data-plane.ts';
import { ExceptionHistory } from '../failover/exception-history.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import { drawRunId, type RunId } from '../ids.ts';
import { JobLedger } from '../machines/job-ledger.ts';
import { createJobMaster } from '../machines/provide.ts';
import { closeAll } from '../operators/close-all.ts';
import type { JobPlan } from './job-planner.ts';
import { ReceiptBook } from './receipt-book.ts';
import { JobRun } from './job-run.ts';
import { logEvent } from './log-event.ts';
import { Observers } from './observers.ts';
import { RunClock } from './run-clock.ts';
import { type JobRunOptions, type ResolvedRunOptions, resolveRunOptions } from './run-options.ts';

/** What a test may put in place of the machine's own. */
export interface RunSeams {
  readonly dataPlane?: (plan: JobPlan, options: ResolvedRunOptions & { readonly run: RunId }) => DataPlane;
  /** Whether what an executor has written is lost with it, as if it were another machine. */
  readonly resultsOfLostExecutors?: 'kept' | 'lost';
  /** Gets the cluster before it starts. */
  readonly cluster?: (cluster: LocalCluster) => void;
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
  const ledger = new JobLedger(graph, pipelinedRegions(graph), options.run);
  const dataPlane = seams.dataPlane?.(plan, options) ?? new LocalDataPlane(plan, options);
  const { cancellationTimeoutMs: timeoutMs } = options;
  const leftOpen = (task: string | undefined, what: string): void =>
    observe({ type: 'closing.timedOut', atMs: environment.clock.now(), task, what, timeoutMs });
  const cluster = new LocalCluster({
    ledger,
    clock: environment.clock,
    dataPlane,
    inspect: options.inspect,
    executors: options.executors,
    slots: options.slots,
    ...(seams.resultsOfLostExecutors && { resultsOfLostExecutors: seams.resultsOfLostExecutors }),
    onLeftOpen: (vertex, what) => leftOpen(graph.nameOf(vertex), what),
    onTaskEnded: (vertex, statistics) => {
      book.noteMoved(vertex, statistics);
      if (!statistics.isCurtailed) return;
      const [atMs, task] = [environment.clock.now(), graph.nameOf(vertex)];
      observe({ type: 'task.curtailed', atMs, task, vertex, records: statistics.recordsOut });
    },
  });
  seams.cluster?.(cluster);
  const book = new ReceiptBook(
    plan.name,
    ledger,
    (partition) => {
      const held = cluster.resultOf(partition)?.statistics();
      return held && { records: held.records, bytes: held.memoryBytes + held.spilledBytes };
    },
    {
      isSource: (jobVertex) => plan.programs[jobVertex]?.source !== undefined,
      nowMs: () => environment.clock.now(),
      moving: () => cluster.moving(),
    },
  );
  const run = new JobRun({
    job: plan.name,
    ledger,
    book,
    history: new ExceptionHistory(options.exceptionHistorySize),
    storage: () => cluster.storage(),
    observers,
    dispose: () =>
      new Promise((resolve, reject) => {
        const close = (done: () => void): void => {
          cluster.dispose().then(done, reject);
        };
        const limit = { clock: environment.clock, timeoutMs, leftOpen: (what: string) => leftOpen(undefined, what) };
        closeAll([{ what: 'what the run holds on disk', close }], limit, resolve);
      }),
    close: () => environment.clock.close(),
    signal: options.signal,
  });
  const observe = (event: JobEvent): void => {
    logEvent(environment.logger, plan.name, event);
    run.observe(event);
  };
  const master = createJobMaster({
    ledger,
    environment,
    gateway: cluster,
    delay: delayActor,
    observe,
    inspect: options.inspect,
    failureHandling: {
      failoverStrategy: options.failoverStrategy,
      restartBackoff: options.restartBackoff,
      backoffScope: options.backoffScope,
      classifiers: options.failureClassifiers,
      enrichers: options.failureEnrichers,
      decisionDeadlineMs: options.decisionDeadlineMs,
    },
    keepResults: (edge) => plan.exchanges[edge]?.keepResults ?? options.keepResults,
    slotRequestTimeoutMs: options.slotRequestTimeoutMs,
    cancellationTimeoutMs: options.cancellationTimeoutMs,
  });
  run.start(master, {
    immediate: (callback) => environment.clock.setImmediate(callback),
    connect: () => {
      dataPlane.begin?.();
      cluster.connect(master);
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
