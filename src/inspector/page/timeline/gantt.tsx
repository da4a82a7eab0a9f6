import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { RunPicture } from '../../recording/run-picture.ts';
import { isDark } from '../shell/theme.ts';
import { useStore } from '../store/store-context.ts';
import { AttemptTip, type TipPlace } from './attempt-tip.tsx';
import { axisHeight, drawGantt, type GanttScene, paletteOf, rowHeight, taskAt, timeAt } from './gantt-canvas.ts';
import { type AttemptFilter, timeRange } from './gantt-segments.ts';
import { type ShownTime, useTimeWindow } from './use-time-window.ts';

interface GanttProps {
  readonly picture: RunPicture;
  readonly tasks: readonly number[];
  readonly attempt: AttemptFilter;
}

const labelWidth = 190;

/** Attempts over time, a row for each task, on a canvas that stays in place while the rows scroll under it. */
export function Gantt({ picture, tasks, attempt }: GanttProps) {
  const { selection } = useStore();
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const scene = useRef<GanttScene | undefined>(undefined);
  const time = useTimeWindow(timeRange(picture, attempt));
  const tip = useSignal<TipPlace | undefined>(undefined);
  const selected = selection.value?.task;
  // Drawn again in the other theme.
  void isDark.value;
  const draw = (): void => {
    const [box, surface] = [scroller.current, canvas.current];
    if (box === null || surface === null) return;
    const { clientWidth: width, clientHeight: height, scrollTop } = box;
    scene.current = { picture, tasks, attempt, labelWidth, width, height, scrollTop, selected, window: time };
    paint(surface, scene.current);
  };
  useLayoutEffect(draw);
  useRedraw(scroller, draw);
  const pick = (task: number | undefined): void => {
    if (task === undefined) return;
    selection.value = { jobVertex: picture.shape.graph.jobVertexIndexOf(task as never), task };
  };
  const keys = keysFor(time, (by) => pick(stepTo(scroller.current, tasks, selected, by)));
  return (
    <div class="gantt">
      <div
        class="gantt-scroll"
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label="Timeline: up and down choose a task, plus and minus change the scale, left and right move"
        onKeyDown={(event) => actOn(event, keys)}
        onWheel={(event) => scene.current && turn(event, scene.current, time)}
        onMouseMove={(event) => (tip.value = scene.current && tipAt(event, scene.current))}
        onMouseLeave={() => (tip.value = undefined)}
        onClick={({ offsetY }) => pick(scene.current && taskAt(scene.current, offsetY))}
      >
        <canvas ref={canvas} aria-hidden="true" />
        <div style={{ height: `calc(${tasks.length * rowHeight + axisHeight}px - 100%)` }} />
      </div>
      <TimeButtons time={time} />
      {tip.value && <AttemptTip picture={picture} attempt={attempt} place={tip.value} />}
    </div>
  );
}

function TimeButtons({ time }: { time: ShownTime }) {
  return (
    <div class="zoom" role="group" aria-label="Scale of time">
      <button type="button" aria-label="Longer time" disabled={time.isWhole} onClick={() => time.zoom(2)}>
        −
      </button>
      <button type="button" disabled={time.isWhole} onClick={() => time.showAll()}>
        all
      </button>
      <button type="button" aria-label="Shorter time" onClick={() => time.zoom(0.5)}>
        +
      </button>
    </div>
  );
}

type Keys = Readonly<Record<string, () => void>>;

function keysFor(time: ShownTime, step: (by: number) => void): Keys {
  return {
    ...{ ArrowDown: () => step(1), ArrowUp: () => step(-1) },
    ...{ ArrowLeft: () => time.pan(-0.2), ArrowRight: () => time.pan(0.2) },
    ...{ '+': () => time.zoom(0.5), '-': () => time.zoom(2), '0': () => time.showAll() },
  };
}

function actOn(event: KeyboardEvent, keys: Keys): void {
  const act = keys[event.key];
  if (act === undefined || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  act();
}

/** The task `by` rows further, scrolled into sight. */
function stepTo(
  box: HTMLDivElement | null,
  tasks: readonly number[],
  selected: number | undefined,
  by: number,
): number | undefined {
  const at = Math.min(Math.max(tasks.indexOf(selected ?? -1) + by, 0), tasks.length - 1);
  if (box !== null) {
    const [top, room] = [at * rowHeight, box.clientHeight - axisHeight - rowHeight];
    box.scrollTop = Math.min(Math.max(box.scrollTop, top - room), top);
  }
  return tasks[at];
}

/** The wheel scrolls rows; sideways it moves the time, with Ctrl it changes the scale. */
function turn(event: WheelEvent, scene: GanttScene, time: ShownTime): void {
  if (!(event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) return;
  event.preventDefault();
  if (event.ctrlKey) time.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, timeAt(scene, event.offsetX));
  else time.pan(event.deltaX / 1_000);
}

function tipAt({ offsetX, offsetY, clientX, clientY }: MouseEvent, scene: GanttScene): TipPlace | undefined {
  const task = taskAt(scene, offsetY);
  if (task === undefined) return undefined;
  return { task, atMs: offsetX < labelWidth ? undefined : timeAt(scene, offsetX), x: clientX, y: clientY };
}

function paint(surface: HTMLCanvasElement, scene: GanttScene): void {
  const ratio = devicePixelRatio;
  const [width, height] = [Math.round(scene.width * ratio), Math.round(scene.height * ratio)];
  if (surface.width !== width || surface.height !== height) {
    surface.width = width;
    surface.height = height;
    surface.style.width = `${scene.width}px`;
    surface.style.height = `${scene.height}px`;
  }
  const pen = surface.getContext('2d', { alpha: false });
  if (pen === null) return;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawGantt(pen, scene, paletteOf(isDark.value ? 'dark' : 'light', `12px ${getComputedStyle(surface).fontFamily}`));
}

/** Draws again when the rows scroll or the room changes, at most once per frame. */
function useRedraw(scroller: { readonly current: HTMLDivElement | null }, draw: () => void): void {
  const latest = useRef(draw);
  latest.current = draw;
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return undefined;
    let due = 0;
    const request = (): void => {
      if (due !== 0) return;
      due = requestAnimationFrame(() => {
        due = 0;
        latest.current();
      });
    };
    box.addEventListener('scroll', request, { passive: true });
    const observer = new ResizeObserver(request);
    observer.observe(box);
    return () => {
      cancelAnimationFrame(due);
      observer.disconnect();
      box.removeEventListener('scroll', request);
    };
  }, [scroller]);
}
