import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { formatCount, formatDuration, formatOffset } from '../shell/format.ts';
import { outcomeOf, type RootFailure } from './root-failures.ts';

/** Failures as a table. */
export function FailuresTable({ picture, failures }: { picture: RunPicture; failures: readonly RootFailure[] }) {
  return (
    <DataTable
      label="Failures"
      rowCount={failures.length}
      rowAt={(at) => failures[at] as RootFailure}
      empty="Nothing has failed."
      columns={[
        { title: 'Time', isNumber: true, cell: ({ root }) => formatOffset(root.failure.atMs - picture.run.atMs) },
        { title: 'Task', cell: ({ root }) => root.failure.task ?? 'the job' },
        { title: 'Cause', cell: ({ root }) => `${root.failure.cause.name}: ${root.failure.cause.message}` },
        { title: 'Kind', cell: ({ root }) => root.failure.classification },
        { title: 'Merged', isNumber: true, cell: ({ merged }) => merged.length },
        { title: 'Restarted tasks', isNumber: true, cell: ({ root }) => formatCount(root.receipt.tasksRestarted) },
        { title: 'Re-used results', isNumber: true, cell: ({ root }) => formatCount(root.receipt.partitionsReused) },
        { title: 'Backoff', isNumber: true, cell: ({ root }) => formatDuration(root.receipt.delayMs) },
        { title: 'Outcome', cell: ({ root }) => outcomeOf(root) },
      ]}
    />
  );
}
