import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { colour } from '../shell/theme.ts';
import { type AttemptFilter, forEachSegment, type SegmentKind, segmentKinds } from './gantt-segments.ts';
import { ticksOf, tickLabel, type TimeWindow } from './time-axis.ts';

export const rowHeight = 20;
export const axisHeight = 26;
const barHeight = 12;
/** An attempt that failed at once must be seen, too. */
const leastWidth = 2;

/** What a Gantt chart shows. */
export interface GanttScene {
  readonly picture: RunPicture;
  readonly tasks: readonly number[];
  readonly attempt: AttemptFilter;
  readonly window: TimeWindow;
  readonly scrollTop: number;
  readonly labelWidth: number;
  readonly width: number;
  readonly height: number;
  readonly selected: number | undefined;
}

/** The colours of the design system, read once per theme. */
interface Palette {
  readonly segments: Readonly<Record<SegmentKind, string>>;
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly picked: string;
  readonly font: string;
}

const palettes = new Map<string, Palette>();

/** @param theme the name of the theme that the page has now */
export function paletteOf(theme: string, font: string): Palette {
  let palette = palettes.get(theme);
  if (palette === undefined) palettes.set(theme, (palette = readPalette(font)));
  return palette;
}

function readPalette(font: string): Palette {
  const segments = Object.fromEntries(segmentKinds.map((kind) => [kind, colour(`bar-${kind}`)]));
  return {
    segments: segments as Record<SegmentKind, string>,
    ...{ ink: colour('ink'), muted: colour('muted'), line: colour('line') },
    ...{ surface: colour('surface'), picked: colour('picked'), font },
  };
}

/** Draws the rows in sight: O(rows in sight and their attempts). */
export function drawGantt(pen: CanvasRenderingContext2D, scene: GanttScene, palette: Palette): void {
  const { width, height, labelWidth } = scene;
  pen.fillStyle = palette.surface;
  pen.fillRect(0, 0, width, height);
  pen.font = palette.font;
  pen.textBaseline = 'middle';
  const first = Math.max(0, Math.floor(scene.scrollTop / rowHeight));
  const last = Math.min(scene.tasks.length, Math.ceil((scene.scrollTop + height - axisHeight) / rowHeight));
  drawGrid(pen, scene, palette);
  for (let at = first; at < last; at++) {
    drawRow(pen, scene, palette, scene.tasks[at] as number, axisHeight + at * rowHeight - scene.scrollTop);
  }
  drawAxis(pen, scene, palette);
  pen.fillStyle = palette.line;
  pen.fillRect(labelWidth - 1, 0, 1, height);
}

/** The x of a time. */
function xOf({ window, labelWidth, width }: GanttScene, atMs: number): number {
  return labelWidth + ((atMs - window.fromMs) / (window.toMs - window.fromMs)) * (width - labelWidth);
}

/** The time at an x. */
export function timeAt({ window, labelWidth, width }: GanttScene, x: number): number {
  return window.fromMs + ((x - labelWidth) / (width - labelWidth)) * (window.toMs - window.fromMs);
}

/** The task at a y; undefined if there is none. */
export function taskAt({ tasks, scrollTop }: GanttScene, y: number): number | undefined {
  return y < axisHeight ? undefined : tasks[Math.floor((y - axisHeight + scrollTop) / rowHeight)];
}

function drawRow(pen: CanvasRenderingContext2D, scene: GanttScene, palette: Palette, task: number, y: number): void {
  const { picture, labelWidth, width, selected } = scene;
  if (task === selected) {
    pen.fillStyle = palette.picked;
    pen.fillRect(0, y, width, rowHeight);
  }
  const top = y + (rowHeight - barHeight) / 2;
  forEachSegment(picture, task, scene.attempt, (kind, fromMs, toMs) => {
    const left = Math.max(xOf(scene, fromMs), labelWidth);
    const right = Math.min(xOf(scene, toMs), width);
    const least = kind === 'failed' ? leastWidth : 0.75;
    if (right < labelWidth || left > width) return;
    pen.fillStyle = palette.segments[kind];
    const isThin = kind === 'waiting' || kind === 'backoff';
    pen.fillRect(left, isThin ? top + 3 : top, Math.max(right - left, least), isThin ? barHeight - 6 : barHeight);
  });
  pen.fillStyle = palette.surface;
  if (task === selected) pen.fillStyle = palette.picked;
  pen.fillRect(0, y, labelWidth - 1, rowHeight);
  pen.fillStyle = palette.ink;
  pen.textAlign = 'left';
  pen.fillText(
    fitted(pen, picture.shape.graph.nameOf(task as ExecutionVertexId), labelWidth - 20),
    10,
    y + rowHeight / 2,
  );
}

function drawGrid(pen: CanvasRenderingContext2D, scene: GanttScene, palette: Palette): void {
  pen.fillStyle = palette.line;
  for (const tick of offsets(scene).at)
    pen.fillRect(Math.round(xOf(scene, tick + originOf(scene))), axisHeight, 1, scene.height);
}

function drawAxis(pen: CanvasRenderingContext2D, scene: GanttScene, palette: Palette): void {
  pen.fillStyle = palette.surface;
  pen.fillRect(0, 0, scene.width, axisHeight);
  pen.fillStyle = palette.line;
  pen.fillRect(0, axisHeight - 1, scene.width, 1);
  pen.fillStyle = palette.muted;
  pen.textAlign = 'left';
  pen.fillText(`${scene.tasks.length} tasks`, 10, axisHeight / 2);
  const { stepMs, at } = offsets(scene);
  for (const tick of at) {
    const x = xOf(scene, tick + originOf(scene));
    const label = tickLabel(tick, stepMs);
    const half = pen.measureText(label).width / 2;
    if (x - half < scene.labelWidth || x + half > scene.width) continue;
    pen.fillText(label, x - half, axisHeight / 2);
  }
}

/** Times are shown since the beginning of the recording. */
function originOf({ picture }: GanttScene): number {
  return picture.run.atMs;
}

function offsets(scene: GanttScene): ReturnType<typeof ticksOf> {
  const origin = originOf(scene);
  const count = (scene.width - scene.labelWidth) / 110;
  return ticksOf(scene.window.fromMs - origin, scene.window.toMs - origin, count);
}

const fittedTexts = new Map<string, string>();

/** A text that fits, with its end: `…ting-words[12]`. */
function fitted(pen: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${width} ${text}`;
  let short = fittedTexts.get(key);
  if (short !== undefined) return short;
  short = text;
  for (let from = 1; pen.measureText(short).width > width && from < text.length; from++) short = `…${text.slice(from)}`;
  if (fittedTexts.size > 20_000) fittedTexts.clear();
  fittedTexts.set(key, short);
  return short;
}
