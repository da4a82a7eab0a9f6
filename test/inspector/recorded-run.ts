import { type LiveRecording, type RecordingOptions, recordRun } from '../../src/inspector/recorder/live-recording.ts';
import { eventsOf } from '../../src/inspector/recording/frequent-events.ts';
import { recordedShape } from '../../src/inspector/recording/recorded-shape.ts';
import type { RecordedEvent, RecordingLine, RunLine } from '../../src/inspector/recording/recording-line.ts';
import { RunPicture } from '../../src/inspector/recording/run-picture.ts';
import { collect, fixedDelay, Job, type JobEvent, type JobRun, type JobRunOptions, range } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { type FaultPlan, faultPlan, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';

/** numbers[0..1] ─┤├▶ sums[0..1]: four regions. */
export function sumsJob(): Job {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', range(0, 400))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', collect());
  return job;
}

export interface StartedRun {
  readonly environment: VirtualEnvironment;
  readonly run: JobRun;
  /** Goes on until the end of the turn with an event. */
  until(matches: (event: JobEvent) => boolean): Promise<void>;
}

/** A run of the job in which `sums[0]` and `numbers[1]` fail once, after some batches. */
export function startedRun(options: JobRunOptions = {}, faults: FaultPlan = faultPlan()): StartedRun {
  for (const [vertex, subtask] of [
    ['numbers', 1],
    ['sums', 0],
  ] as const) {
    faults.fail('task.batch', {
      when: (place) => place['vertex'] === vertex && place['subtask'] === subtask && place['batches'] === 3,
    });
  }
  const environment = virtualEnvironment({ faults, startMs: 1_000 });
  const restartBackoff = fixedDelay({ maxAttempts: 5, delayMs: 700 });
  const run = sumsJob().run({ environment, batchSize: 16, restartBackoff, ...options });
  return {
    environment,
    run,
    until: (matches) => {
      let isReached = false;
      insideOf(run).events$.subscribe((event) => {
        if (!isReached && matches(event)) environment.clock.setImmediate(() => (isReached = true));
      });
      return environment.runUntil(() => isReached);
    },
  };
}

/** Whether a task enters a state. */
export const enters =
  (task: string, state: string) =>
  (event: JobEvent): boolean =>
    event.type === 'task.stateChanged' && event.task === task && event.state === state;

/** Listens from now on. The lines amount to everything, also before. */
export function heard(recording: LiveRecording): { readonly lines: RecordingLine[]; readonly stop: () => void } {
  const lines: RecordingLine[] = [];
  const stop = recording.listen({ next: (line) => lines.push(line), ended: () => {} });
  // With what was said as it began to listen.
  lines.splice(0, lines.length, ...recording.opening());
  return { lines, stop };
}

/** What lines amount to, as it is read from their text. */
export function pictureOf(lines: readonly RecordingLine[]): RunPicture {
  const [run, ...others] = JSON.parse(JSON.stringify(lines)) as RecordingLine[];
  if (run?.type !== 'run') throw new Error('A recording begins with its run');
  const picture = new RunPicture(run);
  for (const line of others) picture.next(line);
  return picture;
}

/** The events in lines, the first of which is the run. */
export function eventsIn([run, ...lines]: readonly RecordingLine[]): RecordedEvent[] {
  const { graph } = recordedShape(run as RunLine);
  return lines.flatMap((line) => {
    if (line.type === 'changes') return [...eventsOf(line, graph)];
    return line.type === 'event' ? [line.event] : [];
  });
}

/** A run that is recorded from its beginning to its end. */
export async function recordedRun(options: RecordingOptions = {}, runOptions: JobRunOptions = {}) {
  const started = startedRun(runOptions);
  const recording = recordRun(started.run, options);
  const { lines } = heard(recording);
  const { receipt } = await started.environment.drive(started.run.result);
  return { ...started, recording, lines, receipt };
}
