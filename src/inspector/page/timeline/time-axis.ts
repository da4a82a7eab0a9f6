const steps = [1, 2, 5];

/** Round times in a range, about `count` of them. */
export function ticksOf(
  fromMs: number,
  toMs: number,
  count: number,
): { readonly stepMs: number; readonly at: number[] } {
  const wanted = Math.max((toMs - fromMs) / Math.max(count, 1), Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = steps.find((step) => step * power >= wanted) ?? 10;
  const stepMs = factor * power;
  const at: number[] = [];
  for (let tick = Math.ceil(fromMs / stepMs) * stepMs; tick <= toMs; tick += stepMs) at.push(tick);
  return { stepMs, at };
}

/** A time as a label of a tick: `250 ms`, `1.5 s`, `2:05`. */
export function tickLabel(ms: number, stepMs: number): string {
  if (ms === 0) return '0';
  if (stepMs < 1_000 && Math.abs(ms) < 1_000) return `${Number(ms.toPrecision(6))} ms`;
  if (Math.abs(ms) < 60_000) return `${Number((ms / 1_000).toFixed(3))} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** A range of time, changed by the user. */
export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A window that is larger or smaller around a time, within the whole; undefined for the whole. */
export function zoomed(
  window: TimeWindow,
  whole: TimeWindow,
  factor: number,
  aroundMs: number,
): TimeWindow | undefined {
  const length = Math.max((window.toMs - window.fromMs) * factor, 0.5);
  if (length >= whole.toMs - whole.fromMs) return undefined;
  const share = (aroundMs - window.fromMs) / (window.toMs - window.fromMs);
  return within({ fromMs: aroundMs - share * length, toMs: aroundMs + (1 - share) * length }, whole);
}

/** A window moved by a time, within the whole. */
export function moved(window: TimeWindow, whole: TimeWindow, byMs: number): TimeWindow {
  return within({ fromMs: window.fromMs + byMs, toMs: window.toMs + byMs }, whole);
}

function within({ fromMs, toMs }: TimeWindow, whole: TimeWindow): TimeWindow {
  const length = toMs - fromMs;
  const from = Math.min(Math.max(fromMs, whole.fromMs), whole.toMs - length);
  return { fromMs: from, toMs: from + length };
}
