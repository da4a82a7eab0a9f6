import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { formatCount, formatDuration, formatOffset } from '../shell/format.ts';
import { StateChip } from '../shell/state-bar.tsx';
import { TaskActions } from '../shell/task-actions.tsx';
import { showView } from '../shell/view-name.ts';
import { useStore } from '../store/store-context.ts';

/** Attempts that are listed. */
const mostListed = 50;

/** The attempts of a task, latest first, and why they failed. */
export function TaskPanel({ picture, task }: { picture: RunPicture; task: number }) {
  const store = useStore();
  const { attempts, failovers, run, shape } = picture;
  const name = shape.graph.nameOf(task as ExecutionVertexId);
  const rows: number[] = [];
  for (let row = attempts.latestOf(task); row >= 0 && rows.length < mostListed; row = attempts.before(row))
    rows.push(row);
  const causeOf = (attempt: number): string | undefined => {
    for (const { failure } of failovers.all) {
      if (failure.task === name && failure.attempt === attempt)
        return `${failure.cause.name}: ${failure.cause.message}`;
    }
    return undefined;
  };
  return (
    <aside class="panel" aria-label={`Attempts of ${name}`}>
      <header>
        <h2 title={name}>{name}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={() => (store.selection.value = undefined)}>
          ✕
        </button>
      </header>
      <ol class="attempts">
        {rows.map((row) => {
          const attempt = attempts.attempt.at(row);
          const [running, ended] = [attempts.runningMs.at(row), attempts.endedMs.at(row)];
          const cause = causeOf(attempt);
          return (
            <li key={row}>
              <div>
                <strong>Attempt {attempt}</strong> <StateChip state={attempts.stateOf(row)} />
              </div>
              <div class="muted">
                {formatOffset(attempts.createdMs.at(row) - run.atMs)}
                {!Number.isNaN(running) &&
                  `, ran ${formatDuration((Number.isNaN(ended) ? picture.atMs : ended) - running)}`}
                {!Number.isNaN(ended) &&
                  `, ${formatCount(attempts.recordsIn.at(row))} → ${formatCount(attempts.recordsOut.at(row))} records`}
              </div>
              {cause !== undefined && <div class="cause">{cause}</div>}
            </li>
          );
        })}
      </ol>
      <TaskActions picture={picture} task={task} />
      <div class="buttons">
        <button type="button" onClick={() => showView('graph')}>
          Show in graph
        </button>
      </div>
    </aside>
  );
}
