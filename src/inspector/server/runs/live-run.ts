import { whatRestartsNow } from '../../../api/explain/live-restarts.ts';
import { isTerminalJobStatus } from '../../../actors/protocol/states.ts';
import type { ExecutionGraph } from '../../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../../ids.ts';
import type { JobRun } from '../../../run/job-run.ts';
import { insideOf } from '../../../run/run-inside.ts';
import { recordRun } from '../../recorder/live-recording.ts';
import type { Redact } from '../../recording/plain-value.ts';
import type { RecordingLine } from '../../recording/recording-line.ts';
import { RefusedRequest } from '../answer.ts';
import type { InspectedRun, RunSummary } from './inspected-run.ts';
import type { RunControls } from './run-actions.ts';

/**
 * A run of this process, as the server knows it.
 * @throws InvalidArgumentError if it is not the handle of a run
 */
export function liveRun(run: JobRun, redact?: Redact): InspectedRun {
  const inside = insideOf(run);
  const { clock } = inside.environment;
  const epochMs = clock.epochMs() - clock.now();
  const recording = recordRun(run, { redact });
  return {
    run: inside.run,
    lines: recording,
    watched: inside,
    nowMs: () => clock.now(),
    summary: (): RunSummary => {
      const { startedAtMs, durationMs } = run.receipt();
      const { status } = run;
      const startedMs = epochMs + startedAtMs;
      const hasEnded = isTerminalJobStatus(status);
      return {
        ...{ run: inside.run, job: run.job, status, startedAtMs: startedMs },
        endedAtMs: hasEnded ? startedMs + durationMs : undefined,
      };
    },
    recording: () => asJson([...recording.lines()]),
    receipt: () => run.receipt(),
    whatRestarts: (name) => whatRestartsNow(run, name),
    focus: (actor) => recording.focus(actor),
    subject: { controls: controlsOf(run), taskCalled: (name) => taskCalled(inside.shape.graph, name) },
  };
}

/** Each line as JSON, made when it is asked for. */
function* asJson(lines: readonly RecordingLine[]): Generator<string> {
  for (const line of lines) yield JSON.stringify(line);
}

/** The task called `map[2]`. */
function taskCalled(graph: ExecutionGraph, name: string): ExecutionVertexId | undefined {
  const [, id, digits] = /^(.*)\[(\d+)\]$/su.exec(name) ?? [];
  const index = graph.jobGraph.vertices.findIndex((vertex) => vertex.id === id);
  const subtask = Number(digits);
  const vertex = graph.jobGraph.vertices[index];
  return vertex === undefined || subtask >= vertex.parallelism ? undefined : graph.vertexAt(index, subtask);
}

function controlsOf(run: JobRun): RunControls {
  const missing = (): never => {
    throw new RefusedRequest(501, 'The engine cannot do this yet', 'Cancel the run instead.');
  };
  return {
    cancel: () => void run.cancel(),
    restartRegion: missing,
    restartTask: missing,
    skipBackoff: missing,
    failTask: missing,
    losePartition: missing,
    loseExecutor: missing,
    fillDisk: missing,
    slowConsumer: missing,
  };
}
