import { signal } from '@preact/signals';
import { executionStates } from '../../../actors/protocol/states.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { shownIn, ViewSwitch } from '../shell/view-switch.tsx';
import { useStore } from '../store/store-context.ts';
import { AttemptsTable } from './attempts-table.tsx';
import { Gantt } from './gantt.tsx';
import { type AttemptFilter, highestAttempt, segmentKinds, type TaskFilter, tasksShown } from './gantt-segments.ts';
import { TaskPanel } from './task-panel.tsx';

/** Which tasks and attempts are shown; kept while the page is open. */
const filter = signal<TaskFilter>({ attempt: 'all', jobVertex: undefined, state: undefined });

/** The attempts of tasks over time. */
export function TimelineView({ picture }: { picture: RunPicture }) {
  const { selection } = useStore();
  const shown = shownIn('timeline').value ?? 'picture';
  const tasks = tasksShown(picture, filter.value);
  const task = selection.value?.task;
  return (
    <div class={`view with-panel${task === undefined ? '' : ' has-panel'}`}>
      <section class="stage" aria-label="Timeline">
        <div class="toolbar">
          <ViewSwitch view="timeline" shown={shown} />
          <Filters picture={picture} />
        </div>
        {shown === 'table' ? (
          <AttemptsTable picture={picture} tasks={tasks} attempt={filter.value.attempt} />
        ) : tasks.length === 0 ? (
          <p class="empty">No task is so.</p>
        ) : (
          <Gantt picture={picture} tasks={tasks} attempt={filter.value.attempt} />
        )}
        <ul class="legend" aria-label="Colours" hidden={shown === 'table'}>
          {segmentKinds.map((kind) => (
            <li key={kind}>
              <span class={`swatch bar-${kind}`} />
              {kind}
            </li>
          ))}
        </ul>
      </section>
      {task !== undefined && <TaskPanel picture={picture} task={task} />}
    </div>
  );
}

function attemptOf(value: string): AttemptFilter {
  return value === 'all' || value === 'latest' || value === 'repeated' ? value : Number(value);
}

function Filters({ picture }: { picture: RunPicture }) {
  const { attempt, jobVertex, state } = filter.value;
  const change = (part: Partial<TaskFilter>): void => {
    filter.value = { ...filter.value, ...part };
  };
  // A job that restarts for hours: the list stays short.
  const numbers = Array.from({ length: Math.min(highestAttempt(picture), 99) + 1 }, (_, at) => at);
  return (
    <div class="fields">
      <label class="field">
        Attempts
        <select
          value={String(attempt)}
          onChange={({ currentTarget }) => change({ attempt: attemptOf(currentTarget.value) })}
        >
          <option value="all">all</option>
          <option value="latest">latest of each task</option>
          <option value="repeated">of tasks that ran again</option>
          {numbers.map((number) => (
            <option key={number} value={String(number)}>
              attempt {number}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        Vertex
        <select
          value={String(jobVertex ?? '')}
          onChange={({ currentTarget: { value } }) => change({ jobVertex: value === '' ? undefined : Number(value) })}
        >
          <option value="">all</option>
          {picture.shape.graph.jobGraph.vertices.map(({ id }, at) => (
            <option key={id} value={String(at)}>
              {id}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        State
        <select
          value={state ?? ''}
          onChange={({ currentTarget: { value } }) => change({ state: value === '' ? undefined : value })}
        >
          <option value="">any</option>
          {executionStates.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
