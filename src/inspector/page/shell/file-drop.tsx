import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { PageStore } from '../store/page-store.ts';
import { useStore } from '../store/store-context.ts';

function openFile(store: PageStore, file: File | undefined): void {
  if (file === undefined) return;
  void file.text().then((text) => store.openRecording(text, file.name));
}

/** Chooses a recording. */
export function OpenFile({ label }: { label: string }) {
  const store = useStore();
  return (
    <label class="button">
      {label}
      <input
        type="file"
        accept=".jsonl,.json,.txt"
        class="hidden-input"
        onChange={({ currentTarget }) => openFile(store, currentTarget.files?.[0])}
      />
    </label>
  );
}

/** Without a run: asks for a recording. Files can be dropped anywhere, at any time. */
export function FileDrop({ isWaiting }: { isWaiting: boolean }) {
  return (
    <div class="welcome">
      {isWaiting ? (
        <p role="status">Waiting for the run to begin…</p>
      ) : (
        <>
          <h2>Open a recording</h2>
          <p>
            Drop the file of a run here, or choose it. <code>job.run({'{ record: "run.jsonl" }'})</code> writes one. It
            stays on this computer.
          </p>
          <OpenFile label="Choose a file" />
        </>
      )}
    </div>
  );
}

/** Takes files that are dropped on the page. */
export function useFileDrop(): boolean {
  const store = useStore();
  const isOver = useSignal(false);
  useEffect(() => {
    const over = (event: DragEvent): void => {
      event.preventDefault();
      isOver.value = true;
    };
    const leave = ({ relatedTarget }: DragEvent): void => {
      if (relatedTarget === null) isOver.value = false;
    };
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      isOver.value = false;
      openFile(store, event.dataTransfer?.files[0]);
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [store, isOver]);
  return isOver.value;
}
