import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { CheckpointedTask } from '../../../actors/checkpoint-event.ts';
import type { PlainError } from '../../../plain-error.ts';
import type { CheckpointReport, ComponentCheckpointsReport } from '../../../run/checkpoints/checkpoint-history.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { counted, formatBytes, formatCount, formatDuration, formatOffset } from '../shell/format.ts';
import { StateChip } from '../shell/state-bar.tsx';
import { useStore } from '../store/store-context.ts';

type Checkpoint = CheckpointReport<PlainError>;
type Component = ComponentCheckpointsReport<PlainError>;

/** The checkpoint that is shown by task; undefined for the latest completed one. */
const chosen = signal<{ readonly head: string; readonly triggeredMs: number } | undefined>(undefined);

/** The latest checkpoints of each streaming component, and one of them by task. */
export function CheckpointsView({ picture }: { picture: RunPicture }) {
  const { checkpoints } = picture;
  return (
    <div class="view">
      <section class="stage scrolls" aria-label="Checkpoints">
        {checkpoints.length > 0 && <SavepointForm />}
        {checkpoints.length === 0 && (
          <p class="empty">No checkpoint has begun. A run takes them with the option `checkpoints`.</p>
        )}
        {checkpoints.map((component) => (
          <ComponentCheckpoints key={component.component} picture={picture} component={component} />
        ))}
      </section>
    </div>
  );
}

/** Takes a savepoint of a live run. */
function SavepointForm() {
  const store = useStore();
  const directory = useRef<HTMLInputElement>(null);
  if (!store.isLive.value) return null;
  const take = (action: 'savepoint' | 'stop-with-savepoint', done: string) => {
    const body = { directory: directory.current?.value ?? '' };
    void store.act({ action, body }, `${done} ${body.directory}`);
  };
  return (
    <form class="toolbar" onSubmit={(event) => event.preventDefault()}>
      <label>
        New directory <input ref={directory} placeholder="savepoints/1" />
      </label>
      <button type="submit" onClick={() => take('savepoint', 'A savepoint is in')}>
        Take a savepoint
      </button>
      <button type="button" onClick={() => take('stop-with-savepoint', 'The run stops with a savepoint in')}>
        Stop with a savepoint
      </button>
    </form>
  );
}

function ComponentCheckpoints({ picture, component }: { picture: RunPicture; component: Component }) {
  const { head, completed, failed, restored } = component;
  const latest = [...component.latest].reverse();
  const isChosen = (one: Checkpoint): boolean =>
    chosen.value?.head === head && chosen.value.triggeredMs === one.triggeredMs;
  const shown = latest.find(isChosen) ?? latest.find(({ state }) => state === 'completed');
  return (
    <section class="block" aria-label={`Checkpoints of ${head}`}>
      <h2 class="part">
        {head}: {formatCount(completed)} completed, {formatCount(failed)} failed, {formatCount(restored)} restored
      </h2>
      <DataTable
        label={`Latest checkpoints of ${head}`}
        rowCount={latest.length}
        rowAt={(at) => latest[at] as Checkpoint}
        isPicked={(one) => one === shown}
        onPick={({ triggeredMs }) => {
          chosen.value = { head, triggeredMs };
        }}
        columns={[
          {
            title: 'Number',
            cell: ({ checkpoint, kind }) => `${checkpoint ?? '–'}${kind === 'savepoint' ? ', savepoint' : ''}`,
          },
          { title: 'State', cell: ({ state }) => <StateChip state={state} /> },
          {
            title: 'Triggered',
            isNumber: true,
            cell: ({ triggeredMs }) => formatOffset(triggeredMs - picture.run.atMs),
          },
          { title: 'Took', isNumber: true, cell: ({ durationMs }) => shownMs(durationMs) },
          { title: 'Alignment', isNumber: true, cell: ({ alignmentMs }) => shownMs(alignmentMs) },
          { title: 'Written', isNumber: true, cell: (one) => shownBytes(writtenBytes(one)) },
          { title: 'Referenced', isNumber: true, cell: ({ referencedBytes }) => shownBytes(referencedBytes) },
          { title: 'Because', cell: whyOf },
        ]}
      />
      {shown?.tasks !== undefined && <Tasks checkpoint={shown} tasks={shown.tasks} />}
    </section>
  );
}

function Tasks({
  checkpoint: { checkpoint, taskCount },
  tasks,
}: {
  checkpoint: Checkpoint;
  tasks: readonly CheckpointedTask[];
}) {
  const more = taskCount - tasks.length;
  return (
    <>
      <h3>
        Checkpoint {checkpoint} by task{more > 0 && `, without ${counted(more, 'faster one')}`}
      </h3>
      <DataTable
        label={`Checkpoint ${checkpoint} by task`}
        rowCount={tasks.length}
        rowAt={(at) => tasks[at] as CheckpointedTask}
        columns={[
          { title: 'Task', cell: ({ task }) => task },
          { title: 'Alignment', isNumber: true, cell: ({ alignmentMs }) => shownMs(alignmentMs) },
          { title: 'Stood still', isNumber: true, cell: ({ snapshotMs }) => shownMs(snapshotMs) },
          { title: 'Wrote for', isNumber: true, cell: ({ writeMs }) => shownMs(writeMs) },
          { title: 'Written', isNumber: true, cell: (one) => shownBytes(writtenBytes(one)) },
          { title: 'Referenced', isNumber: true, cell: ({ referencedBytes }) => shownBytes(referencedBytes) },
        ]}
      />
    </>
  );
}

function writtenBytes({ bytes, referencedBytes = 0 }: { readonly bytes?: number; readonly referencedBytes?: number }) {
  return bytes === undefined ? undefined : bytes - referencedBytes;
}

function shownMs(ms: number | undefined): string {
  return ms === undefined ? '–' : formatDuration(ms);
}

function shownBytes(bytes: number | undefined): string {
  return bytes === undefined ? '–' : formatBytes(bytes);
}

/** Tasks that are named. */
const mostNames = 3;

/** `declined by map[1]: …`, `expired; without sum[0] and 3 more` */
function whyOf({ reason, task, cause, missing = [] }: Checkpoint): string {
  if (reason === undefined) return '';
  const more = missing.length - mostNames;
  const named = missing.slice(0, mostNames).join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
  return (
    reason +
    (task === undefined ? '' : ` by ${task}`) +
    (cause === undefined ? '' : `: ${cause.message}`) +
    (task === undefined && missing.length > 0 ? `; without ${named}` : '')
  );
}
