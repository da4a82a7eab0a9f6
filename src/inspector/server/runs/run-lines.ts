import { toPlainError } from '../../../plain-error.ts';
import type { RecordedEvent, RecordingLine, RunLine } from '../../recording/recording-line.ts';
import { recordingFormat } from '../../recording/recording-line.ts';
import { RunPicture } from '../../recording/run-picture.ts';
import type { RunInside } from '../../../run/run-inside.ts';
import type { RunLines } from './line-feed.ts';

/** The lines of a run of this process: its events. */
export function runLines(inside: RunInside): RunLines {
  const first = runLine(inside);
  const picture = new RunPicture(first);
  const listeners = new Set<Parameters<RunLines['listen']>[0]>();
  let hasEnded = false;
  inside.events$.subscribe({
    next: (event) => {
      const line: RecordingLine = { type: 'event', event: recorded(event) };
      picture.next(line);
      for (const { next } of listeners) next(line);
    },
    complete: () => {
      hasEnded = true;
      for (const { ended } of listeners) ended();
    },
  });
  return {
    opening: () => [first, { type: 'picture', atMs: picture.atMs, picture: picture.toPlain() }],
    listen: (listener) => {
      if (hasEnded) listener.ended();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function recorded(event: object): RecordedEvent {
  return Object.fromEntries(
    Object.entries(event).map(([key, value]) => [key, value instanceof Error ? toPlainError(value) : value]),
  ) as never;
}

function runLine({ run, plan, environment, ...inside }: RunInside): RunLine {
  const { clock } = environment;
  const atMs = clock.now();
  const finite = (bytes: number): number | undefined => (Number.isFinite(bytes) ? bytes : undefined);
  return {
    type: 'run',
    format: recordingFormat,
    run,
    job: plan.name,
    mode: plan.mode,
    epochMs: clock.epochMs() - atMs,
    atMs,
    vertices: plan.jobGraph.vertices.map((vertex, index) => ({ ...vertex, chain: plan.chains[index] ?? [] })),
    edges: plan.jobGraph.edges.map((edge, index) => ({
      source: edge.source,
      target: edge.target,
      exchange: edge.exchange.name as never,
      pattern: edge.pattern,
      partitioning:
        plan.programs[plan.jobGraph.vertexIndexById.get(edge.source) as number]?.outputs.find(
          (output) => output.edge === index,
        )?.partitioning.kind ?? 'forward',
    })),
    memoryBudgetBytes: finite(inside.memoryBudgetBytes),
    diskBudgetBytes: finite(inside.diskBudgetBytes),
    versions: { kintsugi: '0.1.0', node: process.versions.node },
  };
}
