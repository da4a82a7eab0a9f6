import type { RestartScope } from '../../../src/api/explain/restart-scope.ts';
import type { ExecutionVertexId } from '../../../src/ids.ts';
import type { RecordingLine } from '../../../src/inspector/recording/recording-line.ts';
import type { InspectedRun, RunSummary } from '../../../src/inspector/server/runs/inspected-run.ts';
import type { RunLines } from '../../../src/inspector/server/runs/line-feed.ts';
import type { ActionSubject, RunControls } from '../../../src/inspector/server/runs/run-actions.ts';
import type { WatchedRun } from '../../../src/inspector/wires/actor-watch.ts';
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
