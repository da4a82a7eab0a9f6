import type { JobEvent } from '../../src/index.ts';
import type { ExchangeName } from '../../src/graph/exchange-type.ts';
import type {
  ActorsLine,
  RecordedEvent,
  RecordingLine,
  RunLine,
} from '../../src/inspector/recording/recording-line.ts';
import type { SampleLine } from '../../src/inspector/recording/samples/sample-line.ts';
import { toPlainError } from '../../src/plain-error.ts';

/** A `run` line of a job, given by its vertices and edges: `fan(['a', 2], 'blocking', ['b', 3])`. */
export function runLine(
  vertices: readonly (readonly [id: string, parallelism: number])[],
  edges: readonly (readonly [source: string, exchange: ExchangeName, target: string])[],
): RunLine {
  return {
    type: 'run',
    format: 2,
    run: '00000000000000aa',
    job: 'job',
    mode: 'batch',
    epochMs: 1_700_000_000_000,
    atMs: 0,
    vertices: vertices.map(([id, parallelism]) => ({ id, parallelism, chain: [id] })),
    edges: edges.map(([source, exchange, target]) => {
      return { source, exchange, target, pattern: 'all-to-all', partitioning: 'hash' };
    }),
    memoryBudgetBytes: undefined,
    diskBudgetBytes: undefined,
    versions: { kintsugi: '0.1.0', node: '20.19.0' },
  };
}

/** An event as a line: errors are plain. */
export function eventLine(event: JobEvent): RecordingLine {
  const entries = Object.entries(event).map(([key, value]: [string, unknown]) => [
    key,
    value instanceof Error ? toPlainError(value) : value,
  ]);
  return { type: 'event', event: Object.fromEntries(entries) as RecordedEvent };
}

/** A state of a task. */
export function taskLine(vertex: number, attempt: number, state: string, atMs = 0): RecordingLine {
  const event = { type: 'task.stateChanged', atMs, task: `a[${vertex}]`, vertex, attempt, state };
  return { type: 'event', event: event as RecordedEvent };
}

/** A line as it arrives from a file or over a wire. */
export function asRead<Line>(line: Line): Line {
  return JSON.parse(JSON.stringify(line)) as Line;
}

export function sampleLine(atMs: number, vertices = 1): SampleLine {
  const vertex = { recordsIn: atMs, recordsOut: atMs, backPressure: 0 };
  return { type: 'sample', atMs, vertices: Array(vertices).fill(vertex), storage: [], memoryBytes: 1, diskBytes: 2 };
}

export function actorsLine(atMs: number, change: Partial<Omit<ActorsLine, 'type' | 'atMs'>>): ActorsLine {
  return { type: 'actors', atMs, started: [], states: [], stopped: [], ...change };
}
