import { useRef } from 'preact/hooks';

interface ConfirmButtonProps {
  readonly label: string;
  /** What will happen, as a question. */
  readonly question: string;
  readonly confirm: string;
  readonly isDangerous?: boolean;
  readonly disabled?: boolean;
  readonly title?: string | undefined;
  readonly onConfirm: () => void;
}

/** A button that asks before it does what cannot be undone. */
export function ConfirmButton(props: ConfirmButtonProps) {
  const { label, question, confirm, isDangerous = false, disabled = false, title, onConfirm } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button
        type="button"
        class={isDangerous ? 'danger' : undefined}
        disabled={disabled}
        title={title}
        onClick={() => dialog.current?.showModal()}
      >
        {label}
      </button>
      <dialog ref={dialog} aria-label={label}>
        <p>{question}</p>
        <form method="dialog" class="buttons">
          <button type="submit">Back</button>
          <button type="submit" class={isDangerous ? 'danger' : 'primary'} onClick={onConfirm}>
            {confirm}
          </button>
        </form>
      </dialog>
    </>
  );
}
