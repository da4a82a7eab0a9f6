import { useEffect, useRef } from 'preact/hooks';
import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { colour, isDark } from '../shell/theme.ts';

interface SubtaskGridProps {
  readonly picture: RunPicture;
  readonly jobVertex: number;
  readonly selected: number | undefined;
  readonly restarts: (subtask: number) => boolean;
  readonly onPick: (subtask: number) => void;
}

const width = 296;

/** The tasks of a vertex as a grid of cells, on a canvas: there may be 10 000. */
export function SubtaskGrid({ picture, jobVertex, selected, restarts, onPick }: SubtaskGridProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { graph } = picture.shape;
  const count = graph.jobGraph.vertices[jobVertex]?.parallelism ?? 0;
  const cell = count <= 64 ? 22 : count <= 400 ? 14 : count <= 2_500 ? 7 : 4;
  const columns = Math.floor(width / cell);
  const height = Math.ceil(count / columns) * cell;
  useEffect(() => {
    const element = canvas.current;
    const pen = element?.getContext('2d');
    if (!element || !pen) return;
    const ratio = devicePixelRatio;
    element.width = width * ratio;
    element.height = height * ratio;
    pen.scale(ratio, ratio);
    const gold = colour('gold');
    const gap = cell > 6 ? 2 : 1;
    for (let subtask = 0; subtask < count; subtask++) {
      const row = picture.attempts.latestOf(graph.vertexAt(jobVertex, subtask));
      const [x, y] = [(subtask % columns) * cell, Math.floor(subtask / columns) * cell];
      pen.fillStyle = colour(`state-${row < 0 ? 'created' : picture.attempts.stateOf(row)}`);
      pen.fillRect(x, y, cell - gap, cell - gap);
      if (!restarts(subtask)) continue;
      pen.fillStyle = gold;
      pen.fillRect(x, y + (cell - gap) * 0.66, cell - gap, (cell - gap) * 0.34);
    }
    if (selected === undefined) return;
    pen.strokeStyle = colour('ink');
    pen.lineWidth = 2;
    pen.strokeRect((selected % columns) * cell, Math.floor(selected / columns) * cell, cell - gap, cell - gap);
  });
  const subtaskAt = ({ offsetX, offsetY }: MouseEvent): number | undefined => {
    const subtask = Math.floor(offsetY / cell) * columns + Math.floor(offsetX / cell);
    return offsetX < columns * cell && subtask < count ? subtask : undefined;
  };
  // Colours are read again in the other theme.
  void isDark.value;
  return (
    <canvas
      ref={canvas}
      class="subtask-grid"
      style={{ width: `${width}px`, height: `${height}px` }}
      aria-hidden="true"
      onClick={(event) => {
        const subtask = subtaskAt(event);
        if (subtask !== undefined) onPick(subtask);
      }}
      onMouseMove={(event) => {
        const subtask = subtaskAt(event);
        event.currentTarget.title = subtask === undefined ? '' : titleOf(picture, graph.vertexAt(jobVertex, subtask));
      }}
    />
  );
}

function titleOf({ attempts, shape }: RunPicture, task: ExecutionVertexId): string {
  const row = attempts.latestOf(task);
  const state = row < 0 ? 'not created' : `${attempts.stateOf(row)}, attempt ${attempts.attempt.at(row)}`;
  return `${shape.graph.nameOf(task)}: ${state}`;
}
