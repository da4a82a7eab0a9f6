import type { RestartScope } from '../../../api/explain/restart-scope.ts';
import type { JobReceipt } from '../../../run/folds/job-receipt.ts';
import type { ActionSubject } from './run-actions.ts';
import type { WatchedRun } from '../../tap/actor-watch.ts';
import type { RunLines } from './line-feed.ts';

/** One of the runs of an inspector, as its list shows it. */
export interface RunSummary {
  readonly run: string;
  readonly job: string;
  readonly status: string;
  /** In ms since 1970. */
  readonly startedAtMs: number;
  /** undefined while it runs. */
  readonly endedAtMs: number | undefined;
}

/** A run, as far as the server knows it. */
export interface InspectedRun {
  readonly run: string;
  readonly lines: RunLines;
  /** Time on the clock of the run. */
  nowMs(): number;
  summary(): RunSummary;
  /** The recording so far, one line of JSON each. */
  recording(): Iterable<string>;
  receipt(): JobReceipt;
  /** @throws InvalidArgumentError for an unknown name */
  whatRestarts(name: string): RestartScope;
  /** Its actors, for the wires; undefined of a recording. */
  readonly watched: WatchedRun | undefined;
  /** What actions work on. */
  readonly subject: ActionSubject;
  /** Makes the lines of one actor complete: what it receives and does; null for none. */
  focus(actor: string | null): void;
}
