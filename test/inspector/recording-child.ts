import { existsSync, readFileSync } from 'node:fs';
import { fixedDelay, Job, collect, range } from '../../src/index.ts';
import type { RecordingLine } from '../../src/inspector/recording/recording-line.ts';

/** A process that records its run, is told of a failure by the recording, and is killed under way. */
async function main(file: string): Promise<void> {
  let failures = 0;
  const job = Job.create('killed', { parallelism: 2 });
  job
    .source('numbers', range(0, 100_000))
    .map((n) => {
      if (n === 300 && failures++ === 0) throw new Error('first failure');
      return n;
    })
    .keyBy((n) => n % 10)
    .mapAsync((n) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 40)), { uid: 'slow' })
    .sink('out', collect());
  const run = job.run({ record: file, restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }) });
  const runningAgain = new Map<string, number>();
  run.events$.subscribe((event) => {
    if (event.type !== 'task.stateChanged' || event.state !== 'running' || !event.task.startsWith('slow[')) return;
    if (failures > 0) runningAgain.set(event.task, event.atMs);
  });
  // Once the file has a sample of records that arrived after the failure; on a busy machine that takes a while.
  setInterval(() => {
    if (runningAgain.size < 2) return;
    if (hasCounted(file, Math.max(...runningAgain.values()))) process.kill(process.pid, 'SIGKILL');
  }, 50);
  await run.result;
}

/** Whether a recording has a sample from after a time by which the slow operator got records. */
function hasCounted(file: string, sinceMs: number): boolean {
  if (!existsSync(file)) return false;
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.some((line) => {
    const told = JSON.parse(line) as RecordingLine;
    return told.type === 'sample' && told.atMs > sinceMs && (told.vertices[1]?.recordsIn ?? 0) > 0;
  });
}

void main(process.argv[2] as string);
