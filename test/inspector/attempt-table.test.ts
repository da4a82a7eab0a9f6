import { AttemptTable } from '../../src/inspector/recording/attempt-table.ts';
import { recordedShape } from '../../src/inspector/recording/recorded-shape.ts';
import type { RecordingLine } from '../../src/inspector/recording/recording-line.ts';
import { runLine, taskLine } from './recorded-lines.ts';

const { graph } = recordedShape(
  runLine(
    [
      ['a', 2],
      ['b', 1],
    ],
    [['a', 'blocking', 'b']],
  ),
);

function take(table: AttemptTable, line: RecordingLine): void {
  if (line.type === 'event' && line.event.type === 'task.stateChanged') table.next(line.event);
}

it('has a row for each attempt, and counts the latest attempts by state', () => {
  const table = new AttemptTable(graph);
  for (const task of [0, 1, 2]) take(table, taskLine(task, 0, 'created', 10));
  take(table, taskLine(1, 0, 'deploying', 12));
  take(table, taskLine(1, 0, 'failed', 15));
  take(table, taskLine(1, 1, 'created', 20));
  expect([table.countOf(0, 'created'), table.countOf(0, 'failed'), table.countOf(1, 'created')]).toEqual([2, 0, 1]);
  const row = table.latestOf(1);
  expect([table.attempt.at(row), table.attempt.at(table.before(row)), table.before(table.before(row))]).toEqual([
    1, 0, -1,
  ]);
  expect(table.endedMs.at(table.before(row))).toBe(15);
  expect([table.hasBegun(0), table.hasBegun(1)]).toEqual([false, true]);
});

it('takes late news of an earlier attempt without changing the present one', () => {
  const table = new AttemptTable(graph);
  take(table, taskLine(0, 0, 'running'));
  take(table, taskLine(0, 1, 'running'));
  take(table, taskLine(0, 0, 'canceled', 9));
  expect(table.stateOf(table.latestOf(0))).toBe('running');
  expect(table.endedMs.at(table.before(table.latestOf(0)))).toBe(9);
  expect([table.countOf(0, 'running'), table.countOf(0, 'canceled')]).toEqual([1, 0]);
});

it('is bounded: the oldest attempts that have successors go, the present ones stay', () => {
  const table = new AttemptTable(graph, undefined, 10);
  take(table, taskLine(1, 0, 'running'));
  for (let attempt = 0; attempt < 100; attempt++) take(table, taskLine(0, attempt, 'finished'));
  expect(table.size).toBeLessThanOrEqual(16);
  expect(table.stateOf(table.latestOf(1))).toBe('running');
  expect(table.attempt.at(table.latestOf(0))).toBe(99);
  expect([table.countOf(0, 'running'), table.countOf(0, 'finished')]).toEqual([1, 1]);
});
