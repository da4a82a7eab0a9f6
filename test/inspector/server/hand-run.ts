import { Access } from '../../../src/inspector/server/access.ts';
import { inspectorRoutes } from '../../../src/inspector/server/inspector-routes.ts';
import { PageFiles } from '../../../src/inspector/server/page-files.ts';
import { RequestHandler } from '../../../src/inspector/server/request-handler.ts';
import { RunList } from '../../../src/inspector/server/runs/run-list.ts';
import { jobMetrics } from '../../../src/metrics/job-metrics.ts';
import type { RestartScope } from '../../../src/api/explain/restart-scope.ts';
import type { ExecutionVertexId, RegionId } from '../../../src/ids.ts';
import type { RecordingLine } from '../../../src/inspector/recording/recording-line.ts';
import type { InspectedRun, RunSummary } from '../../../src/inspector/server/runs/inspected-run.ts';
import type { RunLines } from '../../../src/inspector/server/runs/line-feed.ts';
import type { ActionSubject } from '../../../src/inspector/server/runs/run-actions.ts';
import type { RunControls } from '../../../src/run/run-controls.ts';
import type { WatchedRun } from '../../../src/inspector/tap/actor-watch.ts';
import { InvalidArgumentError } from '../../../src/errors/usage-errors.ts';
import type { JobReceipt } from '../../../src/run/folds/job-receipt.ts';

/** A run with two tasks `map[0]` and `map[1]`, whose lines are written by hand. */
export class HandRun implements InspectedRun {
  readonly run: string;
  endedAtMs: number | undefined;
  focused: string | null = null;
  /** What was done to it. */
  readonly done: unknown[][] = [];
  /** Lines so far. */
  told = 0;
  openings = 0;
  listening = 0;
  readonly #listeners = new Set<Parameters<RunLines['listen']>[0]>();

  constructor(run = 'r1') {
    this.run = run;
  }

  readonly watched = { run: 'r1', actors: () => [], inspect: () => () => {} } as unknown as WatchedRun;

  readonly lines: RunLines = {
    opening: () => {
      this.openings++;
      return [gap(0), gap(this.told)];
    },
    listen: (listener) => {
      if (this.endedAtMs !== undefined) listener.ended();
      this.listening++;
      this.#listeners.add(listener);
      return () => {
        this.listening--;
        this.#listeners.delete(listener);
      };
    },
  };

  readonly subject: ActionSubject = {
    controls: new Proxy({} as RunControls, {
      get:
        (_, name) =>
        (...given: unknown[]) =>
          this.done.push([name, ...given]),
    }),
    savepoint: (directory) => Promise.resolve(this.done.push(['savepoint', directory])),
    stopWithSavepoint: (directory, { drain }) =>
      Promise.resolve(this.done.push(['stopWithSavepoint', directory, ...(drain === undefined ? [] : [drain])])),
    restartingRegions: () => [2, 3] as RegionId[],
    taskCalled: (name) => {
      const [, subtask] = /^map\[([01])\]$/.exec(name) ?? [];
      return subtask === undefined ? undefined : (Number(subtask) as ExecutionVertexId);
    },
  };

  /** Writes the next line. `lines` is its number; `text` makes it long. */
  tell(line: RecordingLine = gap(this.told + 1)): void {
    this.told++;
    for (const listener of this.#listeners) listener.next(line);
  }

  end(): void {
    this.endedAtMs = 2;
    for (const listener of this.#listeners) listener.ended();
  }

  nowMs(): number {
    return 7;
  }

  summary(): RunSummary {
    const status = this.endedAtMs === undefined ? 'running' : 'finished';
    return { run: this.run, job: 'words', status, startedAtMs: 1, endedAtMs: this.endedAtMs };
  }

  recording(): string[] {
    return [gap(0), gap(this.told)].map((line) => JSON.stringify(line));
  }

  receipt(): JobReceipt {
    return { job: 'words', toString: () => 'words: 2 tasks' } as JobReceipt;
  }

  whatRestarts(name: string): RestartScope {
    if (this.subject.taskCalled(name) === undefined) throw new InvalidArgumentError('name', name, 'a task');
    return { failed: name, kind: 'restart', toString: () => `${name}: 1 of 2 tasks restarts` } as RestartScope;
  }

  focus(actor: string | null): void {
    this.focused = actor;
  }
}

/** A line that can be told from others. */
export function gap(lines: number): RecordingLine {
  return { type: 'gap', atMs: 0, lines };
}

/** The token of {@link handInspector}. */
export const token = 'a-token-of-16-letters';

/** An inspector that shows one run, which is driven by hand. */
export function handInspector({
  basePath = '',
  allowedHosts = [] as readonly string[],
  allowBreaking = true,
  page = undefined as string | undefined,
} = {}) {
  const run = new HandRun();
  const runs = new RunList();
  runs.add(run);
  const metrics = jobMetrics();
  const routes = inspectorRoutes({ runs, files: new PageFiles(page), metrics, allowBreaking });
  const handler = new RequestHandler(basePath, new Access(token, allowedHosts), routes);
  return { run, runs, answer: (request: Request) => handler.answer(request) };
}
