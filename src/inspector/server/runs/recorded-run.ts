import type { ReadRecording } from '../../recording/recording-text.ts';
import { RunPicture } from '../../recording/run-picture.ts';
import { RefusedRequest } from '../answer.ts';
import type { InspectedRun } from './inspected-run.ts';

/** A run that was recorded, as the server knows it. It is over, even if its recording does not tell of an end. */
export function recordedRun({ run, lines }: ReadRecording): InspectedRun {
  const picture = new RunPicture(run);
  for (const line of lines) picture.next(line);
  const { atMs, status } = picture;
  const summary = {
    ...{ run: run.run, job: run.job, status },
    startedAtMs: run.epochMs + run.atMs,
    endedAtMs: run.epochMs + atMs,
  };
  const refuse = (): never => {
    throw new RefusedRequest(409, 'This is a recording', 'Open it in the page, which knows what can be known of it.');
  };
  return {
    run: run.run,
    lines: {
      opening: () => lines,
      listen: ({ ended }) => {
        ended();
        return () => {};
      },
    },
    watched: undefined,
    nowMs: () => atMs,
    summary: () => summary,
    recording: () => lines.map((line) => JSON.stringify(line)),
    receipt: refuse,
    whatRestarts: refuse,
    focus: refuse,
    get subject() {
      return refuse();
    },
  };
}

/** Whether something to show is a recording and not a run. */
export function isRecording(shown: object): shown is ReadRecording {
  return 'lines' in shown && 'run' in shown;
}
