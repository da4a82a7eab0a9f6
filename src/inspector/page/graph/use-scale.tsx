import { useSignal } from '@preact/signals';
import type { ComponentChild } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

const [least, most, step] = [0.25, 2, 1.25];
/** Boxes that fill the room would look heavy. */
const mostFitting = 1.1;

/** How large a drawing is shown: as it fits into its room, until the user says otherwise; and the buttons for that. */
export function useScale(
  room: { readonly current: HTMLElement | null },
  { width, height }: { readonly width: number; readonly height: number },
): { readonly scale: number; readonly buttons: ComponentChild } {
  const fitting = useSignal(1);
  const chosen = useSignal<number | undefined>(undefined);
  useLayoutEffect(() => {
    const box = room.current;
    if (box === null) return undefined;
    const observer = new ResizeObserver(() => {
      const fits = Math.min(box.clientWidth / width, box.clientHeight / height, mostFitting);
      fitting.value = Math.max(fits, least);
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, [room, width, height]);
  const scale = chosen.value ?? fitting.value;
  const change = (factor: number) => (): void => {
    chosen.value = Math.min(Math.max(scale * factor, least), most);
  };
  const buttons = (
    <div class="zoom" role="group" aria-label="Size">
      <button type="button" aria-label="Smaller" disabled={scale <= least} onClick={change(1 / step)}>
        −
      </button>
      <button type="button" disabled={chosen.value === undefined} onClick={() => (chosen.value = undefined)}>
        fit
      </button>
      <button type="button" aria-label="Larger" disabled={scale >= most} onClick={change(step)}>
        +
      </button>
    </div>
  );
  return { scale, buttons };
}
