import type { RecordedEvent, RecordingLine, RunLine } from '../../src/inspector/recording/recording-line.ts';

const run: RunLine = {
  ...{ type: 'run', format: 1, run: 'large', job: 'large', mode: 'batch', epochMs: 1_700_000_000_000, atMs: 0 },
  vertices: [
    { id: 'in', parallelism: 5_000, chain: ['in'] },
    { id: 'out', parallelism: 5_000, chain: ['out'] },
  ],
  edges: [{ source: 'in', target: 'out', exchange: 'blocking', pattern: 'pointwise', partitioning: 'forward' }],
  ...{ memoryBudgetBytes: undefined, diskBudgetBytes: undefined, versions: { kintsugi: '0.1.0', node: '20' } },
};

const tasks = 10_000;
const attempts = 5;

/** The recording of a run of 10 000 tasks, each of which fails four times and finishes at last. */
export function largeRecording(): string {
  const lines: RecordingLine[] = [run];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const states = ['created', 'scheduled', 'deploying', 'running', attempt < attempts - 1 ? 'failed' : 'finished'];
    for (const [at, state] of states.entries()) {
      for (let task = 0; task < tasks; task++) {
        const atMs = attempt * 12_000 + at * 2_000 + ((task * 37) % 1_900);
        const name = task < 5_000 ? `in[${task}]` : `out[${task - 5_000}]`;
        const event = { type: 'task.stateChanged', atMs, task: name, vertex: task, attempt, state };
        lines.push({ type: 'event', event: event as RecordedEvent });
      }
    }
  }
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
