import fc from 'fast-check';
import {
  dividePartitions,
  subtaskOf,
  type TopicsPlan,
  type TopicsPosition,
} from '../../../src/connectors/kafka/topics-plan.ts';

/** The positions of so many subtasks of which each partition is at the offset of its number. */
function positionsOf(counts: Readonly<Record<string, number>>, parallelism: number): TopicsPosition[] {
  return Array.from({ length: parallelism }, (_, subtask) => ({
    topics: Object.entries(counts).map(([topic, count]) => ({
      topic,
      id: `id of ${topic}`,
      next: Array.from({ length: count }, (__, partition) => [partition, partition] as const).filter(
        ([partition]) => subtaskOf(topic, partition, parallelism) === subtask,
      ),
    })),
  }));
}

const topics = fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 9 }), {
  noNullPrototype: true,
});
const parallelism = fc.integer({ min: 1, max: 6 });

describe('the partitions of a topic', () => {
  it('are divided evenly: subtasks differ by one at most', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 40 }), parallelism, (topic, count, subtasks) => {
        const shares = Array.from({ length: subtasks }, () => 0);
        for (let partition = 0; partition < count; partition++) {
          const subtask = subtaskOf(topic, partition, subtasks);
          shares[subtask] = (shares[subtask] as number) + 1;
        }
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(count);
      }),
    );
  });

  it('begin at a subtask that the topic decides, so that topics of one partition do not all go to the first', () => {
    const names = Array.from({ length: 40 }, (_, number) => `topic-${number}`);
    expect(new Set(names.map((name) => subtaskOf(name, 0, 4))).size).toBe(4);
  });

  it('go to the subtasks that read them at another parallelism, each once, at its offset', () => {
    fc.assert(
      fc.property(topics, parallelism, parallelism, (counts, before, now) => {
        const divided = dividePartitions(positionsOf(counts, before), now, undefined);
        for (const [subtask, expected] of positionsOf(counts, now).entries()) {
          expect(divided[subtask]?.topics).toEqual(expected.topics);
        }
      }),
    );
  });

  it('of subtasks that had finished go on behind their ends, not at the beginning', () => {
    const plan: TopicsPlan = {
      topics: [{ topic: 'a', id: 'id of a', partitions: [0, 1, 2, 3].map(() => ({ start: 0, end: 100 })) }],
    };
    const [unfinished] = positionsOf({ a: 4 }, 2).filter(({ topics: [a] }) =>
      a?.next.some(([partition]) => partition === 1),
    );
    const divided = dividePartitions([unfinished as TopicsPosition], 1, plan);
    expect(divided).toEqual([
      {
        topics: [
          {
            topic: 'a',
            id: 'id of a',
            next: [
              [0, 100],
              [1, 1],
              [2, 100],
              [3, 3],
            ],
          },
        ],
      },
    ]);
  });
});
