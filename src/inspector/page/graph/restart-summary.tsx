import type { RunPicture } from '../../recording/run-picture.ts';
import { counted, formatBytes, formatCount } from '../shell/format.ts';
import type { RestartAnswer } from './use-restart-scope.ts';

/** What would restart and what would be re-used, in words. */
export function RestartSummary({ picture, answer }: { picture: RunPicture; answer: RestartAnswer }) {
  const { scope, source } = answer;
  const began = scope.taskCount - scope.waitingTaskCount;
  return (
    <div class="restart-summary" aria-live="polite">
      {scope.kind === 'fail' ? (
        <p>
          <strong>The job would fail.</strong>
        </p>
      ) : (
        <p>
          <strong>
            {formatCount(began)} of {counted(scope.totalTaskCount, 'task')}
          </strong>{' '}
          would restart, in {counted(scope.regionCount, 'region')} of {picture.shape.regions.count}.
          {scope.waitingTaskCount > 0 && ` ${counted(scope.waitingTaskCount, 'task')} would keep waiting for results.`}
        </p>
      )}
      <ul class="plain">
        {scope.tasks.map(({ vertex, subtasks }) => (
          <li key={vertex}>
            <span class="mark gold" aria-hidden="true">
              ↻
            </span>
            {vertex} <span class="muted">[{subtasks.map(({ start, end }) => rangeOf(start, end)).join(', ')}]</span>
          </li>
        ))}
        {scope.reused.map(({ source: from, target, results }) => (
          <li key={`${from}→${target}`}>
            <span class="mark green" aria-hidden="true">
              ✓
            </span>
            re-uses {counted(results, 'result')} of {from} → {target} <Held picture={picture} from={from} to={target} />
          </li>
        ))}
      </ul>
      {scope.kind === 'restart' && scope.reused.length === 0 && <p class="muted">No result would be re-used.</p>}
      {scope.why !== undefined && <p class="muted">{scope.why}</p>}
      <p class="muted small">
        {source === 'job' ? 'Asked of the running job.' : 'By the default strategy, as far as events tell.'}
      </p>
    </div>
  );
}

/** What an exchange holds now. */
function Held({ picture, from, to }: { picture: RunPicture; from: string; to: string }) {
  const use = picture.samples.latest?.storage.find(({ source, target }) => source === from && target === to);
  if (use === undefined) return null;
  return (
    <span class="muted">
      ({formatCount(use.records)} records, {formatBytes(use.memoryBytes + use.diskBytes)} held)
    </span>
  );
}

function rangeOf(start: number, end: number): string {
  return end - start === 1 ? String(start) : `${start}–${end - 1}`;
}
