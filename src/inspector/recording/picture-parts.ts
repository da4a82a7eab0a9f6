import type { PlainError } from '../../plain-error.ts';
import { executionStates, regionStates } from '../../actors/protocol/states.ts';
import { CheckpointHistory } from '../../run/checkpoints/checkpoint-history.ts';
import type { JobShape } from '../../run/folds/job-shape.ts';
import { RejectedTally } from '../../run/folds/rejected-tally.ts';
import { ActorNumbers } from './actors/actor-numbers.ts';
import { ActorTable } from './actors/actor-table.ts';
import { StateMoves } from './actors/state-moves.ts';
import { AttemptTable } from './attempt-table.ts';
import { FailoverList } from './failover-list.ts';
import type { RecordedPicture } from './recording-line.ts';
import { SampleSeries } from './samples/sample-series.ts';

/** What a picture consists of. */
export type PictureParts = ReturnType<typeof picturePartsOf>;

/** Empty parts, or those of a `picture` line. */
export function picturePartsOf(shape: JobShape, atMs: number, plain?: RecordedPicture) {
  const attempts = new AttemptTable(shape.graph, plain?.attempts);
  return {
    atMs,
    status: plain?.status ?? 'initializing',
    statusSinceMs: plain?.statusSinceMs ?? undefined,
    regionStates: Array.from(plain?.regionStates ?? [], (state) => state ?? undefined),
    attempts,
    failovers: new FailoverList({ shape, hasBegun: (task) => attempts.hasBegun(task) }, plain?.failovers),
    lost: new Map(plain?.lost.map((one) => [one.partition, one])),
    distrusted: new Set(plain?.distrusted),
    rejected: new RejectedTally(plain?.rejected),
    notices: [...(plain?.notices ?? [])],
    quarantined: new Map(plain?.quarantined?.map((one) => [one.region as number, one])),
    executors: new Map(plain?.executors.map((one) => [one.executor as string, one])),
    checkpoints: new CheckpointHistory<PlainError>(plain?.checkpoints),
    samples: new SampleSeries(plain?.samples),
    charts: new Map(plain?.charts.map((chart) => [chart.chart, chart])),
    announced: new ActorTable(plain?.actors),
    moves: {
      region: new StateMoves(regionStates.length, plain?.moves?.region),
      execution: new StateMoves(executionStates.length, plain?.moves?.execution),
    },
    exact: new Map(plain?.exact),
    numbers: new ActorNumbers(shape),
    traces: [...(plain?.traces ?? [])],
    droppedLines: plain?.droppedLines ?? 0,
  };
}
