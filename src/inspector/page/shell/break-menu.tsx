import { useRef } from 'preact/hooks';
import { executorList } from '../../recording/executor-list.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import type { RunAction } from '../store/inspector-api.ts';
import { useStore } from '../store/store-context.ts';

/** Something that can be broken, on what is given in the form. */
interface Breakage {
  readonly label: string;
  readonly action: (picked: { readonly task: string; readonly executor: string }) => RunAction;
  readonly done: string;
}

const slowMs = 20;

const breakages: readonly Breakage[] = [
  {
    label: 'Fail the task',
    action: ({ task }) => ({ action: 'fail-task', body: { task } }),
    done: 'The task is told to fail',
  },
  {
    label: `Slow the task by ${slowMs} ms a batch`,
    action: ({ task }) => ({ action: 'slow-consumer', body: { task, delayMs: slowMs } }),
    done: 'The task is slowed down',
  },
  {
    label: 'Full speed again',
    action: ({ task }) => ({ action: 'slow-consumer', body: { task, delayMs: 0 } }),
    done: 'The task runs at full speed',
  },
  {
    label: 'Lose the executor',
    action: ({ executor }) => ({ action: 'lose-executor', body: { executor } }),
    done: 'The executor is lost',
  },
  { label: 'Fill the disk', action: () => ({ action: 'fill-disk', body: { on: true } }), done: 'The disk is full' },
  {
    label: 'Free the disk',
    action: () => ({ action: 'fill-disk', body: { on: false } }),
    done: 'The disk has room again',
  },
];

/** Breaks a part of the job on purpose, to see it mend. For development. */
export function BreakMenu({ picture }: { picture: RunPicture }) {
  const store = useStore();
  const dialog = useRef<HTMLDialogElement>(null);
  const task = useRef<HTMLInputElement>(null);
  const executor = useRef<HTMLSelectElement>(null);
  const refusal = store.refusal.value;
  const { graph } = picture.shape;
  const { selection } = store;
  const selected = graph.nameOf((selection.value?.task ?? graph.vertexAt(selection.value?.jobVertex ?? 0, 0)) as never);
  return (
    <>
      <button
        type="button"
        disabled={refusal !== undefined}
        title={refusal}
        onClick={() => dialog.current?.showModal()}
      >
        Break it…
      </button>
      <dialog ref={dialog} aria-label="Break it">
        <h2>Break it</h2>
        <p class="muted">Breaks the running job on purpose, so that you can watch it mend. For development.</p>
        <div class="fields">
          <label class="field">
            Task
            <input ref={task} type="text" key={selected} defaultValue={selected} size={24} />
          </label>
          <label class="field">
            Executor
            <select ref={executor}>
              {executorList(picture)
                .filter(({ goneMs }) => goneMs === undefined)
                .map(({ executor: name }) => (
                  <option key={name}>{name}</option>
                ))}
            </select>
          </label>
        </div>
        <form method="dialog" class="buttons wrap">
          {breakages.map(({ label, action, done }) => (
            <button
              key={label}
              type="submit"
              class="danger"
              onClick={() => {
                const picked = { task: task.current?.value ?? '', executor: executor.current?.value ?? '' };
                void store.act(action(picked), done);
              }}
            >
              {label}
            </button>
          ))}
          <button type="submit">Back</button>
        </form>
      </dialog>
    </>
  );
}
