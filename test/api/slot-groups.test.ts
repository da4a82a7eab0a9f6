import type { DataStream } from '../../src/api/data-stream.ts';
import { explain } from '../../src/api/explain/explain.ts';
import { Job, type JobOptions } from '../../src/api/job.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { JobValidationError } from '../../src/errors/usage-errors.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { add, type Flight, flights, sinkOf } from './outside.ts';

const same = (flight: Flight): Flight => flight;
const origin = ({ origin: from }: Flight): string => from;

type Build = (source: DataStream<Flight>, job: Job) => void;

function jobOf(build: Build, options: JobOptions = {}): Job {
  const job = Job.create('flights', { parallelism: 2, ...options });
  build(job.source('in', flights()), job);
  return job;
}

/** The vertices of a job as `in+map-1 /slots @place`. */
function groupsOf(build: Build, options?: JobOptions): string[] {
  const { jobGraph, chains } = planJob(jobOf(build, options));
  return jobGraph.vertices.map(({ slotSharingGroup, coLocationGroup }, index) =>
    [
      chains[index]?.join('+'),
      ...(slotSharingGroup === undefined ? [] : [`/${slotSharingGroup}`]),
      ...(coLocationGroup === undefined ? [] : [`@${coLocationGroup}`]),
    ].join(' '),
  );
}

describe('the slot sharing group of an operator', () => {
  it.each<{ title: string; options?: JobOptions; build: Build; groups: string[] }>([
    {
      title: 'is none by default',
      build: (s) => s.keyBy(origin).reduce(add).sink('out', sinkOf()),
      groups: ['in', 'reduce-1+out'],
    },
    {
      title: 'is that of the job',
      options: { slotSharingGroup: 'all' },
      build: (s) => s.keyBy(origin).reduce(add).sink('out', sinkOf()),
      groups: ['in /all', 'reduce-1+out /all'],
    },
    {
      title: 'is passed on to those that read it, in one task with them',
      build: (s) => s.keyBy(origin).reduce(add, { slotSharingGroup: 'sums' }).map(same).sink('out', sinkOf()),
      groups: ['in', 'reduce-1+map-1+out /sums'],
    },
    {
      title: 'keeps operators with another one in tasks of their own',
      build: (s) => s.map(same, { slotSharingGroup: 'maps' }).sink('out', sinkOf(), { slotSharingGroup: 'sinks' }),
      groups: ['in', 'map-1 /maps', 'out /sinks'],
    },
    {
      title: 'is that of the job where inputs have different ones',
      options: { slotSharingGroup: 'all' },
      build: (s, job) =>
        s
          .map(same, { slotSharingGroup: 'left' })
          .union(job.source('more', flights(), { slotSharingGroup: 'right' }))
          .sink('out', sinkOf()),
      groups: ['in /all', 'more /right', 'map-1 /left', 'out /all'],
    },
  ])('$title', ({ options, build, groups }) => {
    expect(groupsOf(build, options)).toEqual(groups);
  });
});

describe('the co-location group of an operator', () => {
  it('is that of its task, and keeps it apart from those of others', () => {
    expect(
      groupsOf((s) =>
        s
          .map(same, { coLocationGroup: 'a' })
          .map(same, { coLocationGroup: 'b' })
          .keyBy(origin, { exchange: 'memory' })
          .reduce(add, { coLocationGroup: 'a' })
          .sink('out', sinkOf(), { coLocationGroup: 'b', exchange: 'pipelined' }),
      ),
    ).toEqual(['in+map-1 @a', 'map-2 @b', 'reduce-1 @a', 'out @b']);
  });

  it.each<{ title: string; build: Build; message: RegExp; vertices: string[] }>([
    {
      title: 'nobody else in it',
      build: (s) => s.map(same, { coLocationGroup: 'alone' }).sink('out', sinkOf()),
      message: /Nothing is co-located with "map-1": no other operator is in the co-location group "alone"\. Give/,
      vertices: ['map-1'],
    },
    {
      title: 'different parallelisms',
      build: (s) =>
        s.map(same, { coLocationGroup: 'p' }).sink('out', sinkOf(), { parallelism: 3, coLocationGroup: 'p' }),
      message:
        /"map-1" and "out" are in the co-location group "p", but run at parallelism 2 and 3\. Give both the same parallelism, or/,
      vertices: ['map-1', 'out'],
    },
    {
      title: 'different slot sharing groups',
      build: (s) =>
        s
          .map(same, { uid: 'a', coLocationGroup: 'p' })
          .map(same, { uid: 'b', coLocationGroup: 'p', slotSharingGroup: 'g' })
          .sink('out', sinkOf()),
      message:
        /"a" and "b" are in the co-location group "p", but not in the same slot sharing group: none and "g"\. Give both the same slotSharingGroup, or/,
      vertices: ['a', 'b'],
    },
    {
      title: 'a blocking exchange between its operators',
      build: (s) =>
        s.map(same, { coLocationGroup: 'p' }).keyBy(origin).reduce(add, { coLocationGroup: 'p' }).sink('out', sinkOf()),
      message:
        /The edge "in" → "reduce-1" is blocking, but co-location makes its two ends run at the same time, .+\. Give the edge another exchange/,
      vertices: ['in', 'reduce-1'],
    },
    {
      title: 'a way between its operators that waits for the end of one',
      build: (s) =>
        s
          .map(same, { uid: 'a', coLocationGroup: 'p' })
          .forward({ exchange: 'blocking' })
          .map(same, { uid: 'b' })
          .map(same, { uid: 'c', exchange: 'memory', coLocationGroup: 'p' })
          .sink('out', sinkOf()),
      message: /The edge "in" → "b" is blocking, but co-location/,
      vertices: ['in', 'b'],
    },
  ])('is refused with $title', ({ build, message, vertices }) => {
    const error = thrownBy(() => planJob(jobOf(build)));
    expect(error).toBeInstanceOf(JobValidationError);
    expect([(error as Error).message, error]).toEqual([
      expect.stringMatching(message),
      expect.objectContaining({ vertices }),
    ]);
  });

  it.each([
    [{ slotSharingGroup: '' }, /slotSharingGroup of "map-1": expected a non-empty string, got ""/],
    [{ coLocationGroup: 7 as never }, /coLocationGroup of "map-1": expected a non-empty string, got 7/],
  ])('is refused as %j', (options, message) => {
    expect(() => jobOf((s) => s.map(same, options))).toThrow(message);
  });
});

describe('explain', () => {
  it('says which tasks share slots, which are co-located, and what restarts then', () => {
    const job = jobOf((s) =>
      s
        .map(same, { slotSharingGroup: 'g', coLocationGroup: 'p' })
        .forward({ exchange: 'memory' })
        .map(same, { uid: 'score', coLocationGroup: 'p' })
        .sink('out', sinkOf()),
    );
    const explained = explain(job);
    expect(explained).toMatchObject({
      regionCount: 2,
      slots: { least: 2, most: 4 },
      slotSharing: [{ group: 'g', slots: 2, vertices: ['map-1', 'score'] }],
      coLocation: [{ group: 'p', vertices: ['map-1', 'score'] }],
    });
    expect(explained.whatRestarts('score[1]').taskCount).toBe(3);
    expect(explained.toString()).toMatch(/Slot sharing groups\n +g +2 slots +map-1, score\n/);
    expect(explained.toString()).toMatch(/Co-located \(tasks of equal index .+\)\n +p +map-1, score\n/);
  });

  it('does not mention them where there are none', () => {
    expect(explain(jobOf((s) => s.sink('out', sinkOf()))).toString()).not.toMatch(/shar|located/i);
  });
});
