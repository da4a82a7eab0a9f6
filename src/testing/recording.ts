import { inspect, isDeepStrictEqual } from 'node:util';
import type { JobEvent } from '../actors/job-event.ts';
import { folded } from '../run/folds/event-fold.ts';
import type { JobShape } from '../run/folds/job-shape.ts';
import { runFolds } from '../run/folds/run-folds.ts';
import type { JobRun } from '../run/job-run.ts';
import { defaultExceptionHistorySize } from '../run/run-options.ts';

/**
 * What a run that has ended says of itself and its recorded events do not: its snapshot, receipt and failures are to be
 * folds over them, so that a recording tells as much as the run did.
 */
export function unrecorded(run: JobRun, shape: JobShape, events: readonly JobEvent[]): string[] {
  const folds = runFolds(shape, { exceptionHistorySize: defaultExceptionHistorySize });
  const [told, recorded] = [
    { snapshot: run.snapshot(), receipt: plain(run.receipt()), failures: run.failures },
    {
      snapshot: folded(folds.snapshot, events),
      receipt: plain(folded(folds.receipt, events)),
      failures: folded(folds.failures, events),
    },
  ];
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
