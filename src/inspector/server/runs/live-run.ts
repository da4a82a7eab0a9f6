import { whatRestartsNow } from '../../../api/explain/live-restarts.ts';
import { isTerminalJobStatus } from '../../../actors/protocol/states.ts';
import type { ExecutionVertexId, RegionId } from '../../../ids.ts';
import type { JobRun } from '../../../run/job-run.ts';
import { insideOf, type RunInside } from '../../../run/run-inside.ts';
import { recordRun } from '../../recorder/live-recording.ts';
import type { Redact } from '../../recording/plain-value.ts';
import type { RecordingLine } from '../../recording/recording-line.ts';
import type { InspectedRun, RunSummary } from './inspected-run.ts';

/**
 * A run of this process, as the server knows it.
 * @throws InvalidArgumentError if it is not the handle of a run
 */
export function liveRun(run: JobRun, redact?: Redact): InspectedRun & { readonly watched: RunInside } {
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
    subject: {
      controls: inside.controls,
      savepoint: (directory) => run.savepoint(directory),
      stopWithSavepoint: (directory, options) => run.stopWithSavepoint(directory, options),
      taskCalled: (name) => taskCalled(inside, name),
      restartingRegions: () => restartingRegions(inside),
    },
  };
}

function* restartingRegions({ shape, regionStateOf }: RunInside): Generator<RegionId> {
  for (let region = 0; region < shape.regions.count; region++) {
    if (regionStateOf(region as RegionId) === 'restarting') yield region as RegionId;
  }
}

/** Each line as JSON, made when it is asked for. */
function* asJson(lines: readonly RecordingLine[]): Generator<string> {
  for (const line of lines) yield JSON.stringify(line);
}

/** The task called `map[2]`: by its vertex, or by an operator that runs in it. */
function taskCalled({ shape, plan }: RunInside, name: string): ExecutionVertexId | undefined {
  const [, called = '', digits] = /^(.*)\[(\d+)\]$/su.exec(name) ?? [];
  const index = plan.chains.findIndex((uids) => uids.includes(called));
  const subtask = Number(digits);
  const vertex = plan.jobGraph.vertices[index];
  return vertex === undefined || subtask >= vertex.parallelism ? undefined : shape.graph.vertexAt(index, subtask);
}
