import { useEffect, useMemo, useState } from 'preact/hooks';
import type { RestartScope } from '../../../api/explain/restart-scope.ts';
import type { ExecutionVertexId } from '../../../ids.ts';
import { assumedRestart } from '../../recording/assumed-restart.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import type { Selection } from '../store/page-store.ts';
import { useStore } from '../store/store-context.ts';

/** What would restart, and whether the job itself says so: it knows its strategy and what can be read. */
export interface RestartAnswer {
  readonly scope: RestartScope;
  readonly source: 'job' | 'recording';
}

/** The name that a selection has in the engine: of a task, or of all tasks of a vertex. */
function nameOfSelection({ shape }: RunPicture, { jobVertex, task }: Selection): string {
  return task === undefined
    ? (shape.graph.jobGraph.vertices[jobVertex]?.id ?? '')
    : shape.graph.nameOf(task as ExecutionVertexId);
}

function tasksOfSelection({ shape }: RunPicture, { jobVertex, task }: Selection): ExecutionVertexId[] {
  const count = shape.graph.jobGraph.vertices[jobVertex]?.parallelism ?? 0;
  if (task !== undefined) return [task as ExecutionVertexId];
  return Array.from({ length: count }, (_, subtask) => shape.graph.vertexAt(jobVertex, subtask));
}

/** How often the answer is computed again while the job changes. */
const againMs = 500;

/** What would restart if the selected task, or all tasks of the selected vertex, failed now. */
export function useRestartScope(picture: RunPicture, selection: Selection | undefined): RestartAnswer | undefined {
  const store = useStore();
  const mode = store.mode.value;
  const run = mode.kind === 'live' && store.isLive.value ? mode.run : undefined;
  const name = selection && nameOfSelection(picture, selection);
  const turn = Math.floor(picture.atMs / againMs);
  const own = useMemo(
    () =>
      name === undefined || selection === undefined
        ? undefined
        : assumedRestart(picture, name, tasksOfSelection(picture, selection)),
    [picture.shape, name, turn, picture.status],
  );
  const [told, setTold] = useState<{ readonly name: string; readonly scope: RestartScope } | undefined>(undefined);
  useEffect(() => {
    if (run === undefined || name === undefined || store.api === undefined) return undefined;
    let isCurrent = true;
    store.api.restarts(run, name).then(
      (scope) => {
        if (isCurrent) setTold({ name, scope });
      },
      // The recording answers as well.
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [run, name, turn]);
  if (own === undefined) return undefined;
  if (run !== undefined && told?.name === name && told !== undefined) return { scope: told.scope, source: 'job' };
  return { scope: own, source: 'recording' };
}
