import { useMemo } from 'preact/hooks';
import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { formatCount, formatDuration, formatOffset } from '../shell/format.ts';
import { StateChip } from '../shell/state-bar.tsx';
import { useStore } from '../store/store-context.ts';
import type { AttemptFilter } from './gantt-segments.ts';

interface AttemptsTableProps {
  readonly picture: RunPicture;
  readonly tasks: readonly number[];
  readonly attempt: AttemptFilter;
}

/** The rows of attempts of some tasks, task by task, first attempt first. O(attempts) */
function rowsOf({ attempts }: RunPicture, tasks: readonly number[], filter: AttemptFilter): number[] {
  const rows: number[] = [];
  for (const task of tasks) {
    const own: number[] = [];
    for (let row = attempts.latestOf(task); row >= 0; row = attempts.before(row)) {
      if (typeof filter !== 'number' || attempts.attempt.at(row) === filter) own.push(row);
      if (filter === 'latest') break;
    }
    rows.push(...own.reverse());
  }
  return rows;
}

/** Attempts as a table: the timeline in words. */
export function AttemptsTable({ picture, tasks, attempt }: AttemptsTableProps) {
  const { selection } = useStore();
  const { attempts, run, shape, atMs } = picture;
  const rows = useMemo(() => rowsOf(picture, tasks, attempt), [shape, attempts.size, tasks.length, attempt]);
  const offset = (time: number): string => (Number.isNaN(time) ? '–' : formatOffset(time - run.atMs));
  const length = (from: number, to: number): string =>
    Number.isNaN(from) ? '–' : formatDuration((Number.isNaN(to) ? atMs : to) - from);
  // Counted when the attempt has ended.
  const records = (row: number, count: number): string =>
    Number.isNaN(attempts.endedMs.at(row)) ? '–' : formatCount(count);
  const taskOf = (row: number): ExecutionVertexId => attempts.task.at(row) as ExecutionVertexId;
  return (
    <DataTable
      label="Attempts"
      rowCount={rows.length}
      rowAt={(at) => rows[at] as number}
      empty="No attempt is so."
      isPicked={(row) => selection.value?.task === taskOf(row)}
      onPick={(row) => {
        selection.value = { jobVertex: shape.graph.jobVertexIndexOf(taskOf(row)), task: taskOf(row) };
      }}
      columns={[
        { title: 'Task', cell: (row) => shape.graph.nameOf(taskOf(row)) },
        { title: 'Attempt', isNumber: true, cell: (row) => attempts.attempt.at(row) },
        { title: 'State', cell: (row) => <StateChip state={attempts.stateOf(row)} /> },
        { title: 'Created', isNumber: true, cell: (row) => offset(attempts.createdMs.at(row)) },
        {
          title: 'Waited',
          isNumber: true,
          cell: (row) => length(attempts.createdMs.at(row), attempts.deployingMs.at(row)),
        },
        { title: 'Ran', isNumber: true, cell: (row) => length(attempts.runningMs.at(row), attempts.endedMs.at(row)) },
        { title: 'Ended', isNumber: true, cell: (row) => offset(attempts.endedMs.at(row)) },
        { title: 'Records in', isNumber: true, cell: (row) => records(row, attempts.recordsIn.at(row)) },
        { title: 'Records out', isNumber: true, cell: (row) => records(row, attempts.recordsOut.at(row)) },
      ]}
    />
  );
}
