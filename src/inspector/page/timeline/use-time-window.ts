import { useSignal } from '@preact/signals';
import { moved, type TimeWindow, zoomed } from './time-axis.ts';

/** The stretch of time that a timeline shows, and how the user changes it. */
export interface ShownTime extends TimeWindow {
  readonly isWhole: boolean;
  /** Shows more (above 1) or less time around one, or around the middle. */
  zoom(factor: number, aroundMs?: number): void;
  /** Moves by a share of what is shown. */
  pan(share: number): void;
  /** Shows everything again. */
  showAll(): void;
}

/** @param whole everything there is, which grows while a job runs */
export function useTimeWindow(whole: TimeWindow): ShownTime {
  const chosen = useSignal<TimeWindow | undefined>(undefined);
  const shown = chosen.value ?? whole;
  return {
    ...shown,
    isWhole: chosen.value === undefined,
    zoom: (factor, aroundMs = (shown.fromMs + shown.toMs) / 2) => {
      chosen.value = zoomed(shown, whole, factor, aroundMs);
    },
    pan: (share) => {
      if (chosen.value === undefined) return;
      chosen.value = moved(chosen.value, whole, share * (chosen.value.toMs - chosen.value.fromMs));
    },
    showAll: () => {
      chosen.value = undefined;
    },
  };
}
