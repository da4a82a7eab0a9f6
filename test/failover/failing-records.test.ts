import { FailingRecords } from '../../src/failover/failing-records.ts';
import { describePlace, type FailurePlace } from '../../src/failure-place.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../src/ids.ts';

const [map, sum] = [0, 1] as ExecutionVertexId[] as [ExecutionVertexId, ExecutionVertexId];
const placeAt = (position: string | undefined, operator = 'map'): FailurePlace => ({
  operator,
  record: { position, picture: '{}' },
});

/** Attempts that fail one after the other: the task, where it fails, and the earlier attempts that are named. */
const stories: readonly (readonly [
  string,
  readonly (readonly [ExecutionVertexId, FailurePlace | undefined, string])[],
])[] = [
  [
    'at one record',
    [
      [map, placeAt('a:1'), ''],
      [map, placeAt('a:1'), '0'],
      [map, placeAt('a:1'), '0,1'],
    ],
  ],
  [
    'elsewhere in between',
    [
      [map, placeAt('a:1'), ''],
      [map, placeAt('a:2'), ''],
      [map, placeAt('a:1'), ''],
      [map, placeAt('a:1'), '2'],
    ],
  ],
  [
    'nowhere in between',
    [
      [map, placeAt('a:1'), ''],
      [map, undefined, ''],
      [map, placeAt('a:1'), ''],
    ],
  ],
  [
    'in another operator, or another task',
    [
      [map, placeAt('a:1'), ''],
      [map, placeAt('a:1', 'filter'), ''],
      [sum, placeAt('a:1', 'filter'), ''],
    ],
  ],
  [
    'at a place that nobody knows',
    [
      [map, placeAt(undefined), ''],
      [map, placeAt(undefined), ''],
    ],
  ],
];

it.each(stories)('attempts that fail %s', (_, failures) => {
  const records = new FailingRecords();
  const attempts = new Map<ExecutionVertexId, number>();
  const named = failures.map(([vertex, place]) => {
    const attempt = attempts.get(vertex) ?? 0;
    attempts.set(vertex, attempt + 1);
    return (records.note(vertex, attempt as AttemptNumber, place)?.earlierAttempts ?? []).join();
  });
  expect(named).toEqual(failures.map(([, , earlier]) => earlier));
});

it('the place says so in words', () => {
  const told = (earlierAttempts: readonly number[]) => describePlace({ ...placeAt('a.jsonl:18'), earlierAttempts });
  expect(told([])).toBe('in "map", at a.jsonl:18: {}');
  expect(told([1])).toContain('a.jsonl:18: {}, the record at which attempt 1 failed too');
  expect(told([0, 1, 2])).toContain('the record at which attempts 0, 1 and 2 failed too: `onError`');
});
