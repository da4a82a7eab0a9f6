import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { formatDuration, formatOffset } from '../shell/format.ts';
import { type AttemptFilter, forEachSegment, type SegmentKind } from './gantt-segments.ts';

/** Where the pointer is. */
export interface TipPlace {
  readonly task: number;
  /** undefined on the name of the task. */
  readonly atMs: number | undefined;
  readonly x: number;
  readonly y: number;
}

interface AttemptTipProps {
  readonly picture: RunPicture;
  readonly attempt: AttemptFilter;
  readonly place: TipPlace;
}

/** What a task does at the time under the pointer. */
export function AttemptTip({ picture, attempt, place }: AttemptTipProps) {
  let found: { kind: SegmentKind; fromMs: number; toMs: number; row: number } | undefined;
  forEachSegment(picture, place.task, attempt, (kind, fromMs, toMs, row) => {
    if (place.atMs !== undefined && place.atMs >= fromMs && place.atMs <= toMs) found ??= { kind, fromMs, toMs, row };
  });
  const isLow = place.y > innerHeight - 120;
  const isRight = place.x > innerWidth - 260;
  return (
    <div
      class={`tip${isLow ? ' above' : ''}${isRight ? ' before' : ''}`}
      role="presentation"
      style={{ left: `${place.x}px`, top: `${place.y}px` }}
    >
      <strong>{picture.shape.graph.nameOf(place.task as ExecutionVertexId)}</strong>
      {found && (
        <>
          <span>
            attempt {picture.attempts.attempt.at(found.row)}: {found.kind} for{' '}
            {formatDuration(found.toMs - found.fromMs)}
          </span>
          <span class="muted">
            {formatOffset(found.fromMs - picture.run.atMs)} to {formatOffset(found.toMs - picture.run.atMs)}
          </span>
        </>
      )}
    </div>
  );
}
