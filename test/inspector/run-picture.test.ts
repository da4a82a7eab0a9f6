import type { CheckpointedTask } from '../../src/actors/checkpoint-event.ts';
import type { CheckpointId, ComponentId } from '../../src/ids.ts';
import { collect, fromArray, Job, type JobEvent } from '../../src/index.ts';
import { recordedEvent } from '../../src/inspector/recorder/recorded-event.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { countOfIds } from '../../src/inspector/recording/id-ranges.ts';
import type { RecordingLine, RunLine } from '../../src/inspector/recording/recording-line.ts';
import { RunPicture } from '../../src/inspector/recording/run-picture.ts';
import { CheckpointHistory } from '../../src/run/checkpoints/checkpoint-history.ts';
import { killing, runStory } from '../support/run-story.ts';
import { tickingSource } from '../support/ticking-source.ts';
import { actorsLine, asRead, eventLine, runLine, sampleLine, taskLine } from './recorded-lines.ts';

/** A job that reads, sums by key over `reliable`, and rejects some records. */
function summingJob(): Job {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', fromArray(Array.from({ length: 200 }, (_, n) => n)))
    .map(
      (n) => {
        if (n % 50 === 49) throw new Error(`${n} is odd`);
        return n;
      },
      { uid: 'even', onError: 'skip' },
    )
    .keyBy((n) => n % 5, { exchange: 'reliable' })
    .reduce((a, b) => a + b, { uid: 'sum' })
    .sink('sums', collect<number>());
  return job;
}

function lineOf(job: Job): RunLine {
  const { jobGraph, chains } = planJob(job);
  return {
    ...runLine([], []),
    job: job.name,
    vertices: jobGraph.vertices.map((vertex, at) => ({ ...vertex, chain: chains[at] as string[] })),
    edges: jobGraph.edges.map(({ exchange, ...edge }) => {
      return { ...edge, exchange: exchange.name as 'reliable', partitioning: 'hash' };
    }),
  };
}

function pictureOf(run: RunLine, lines: Iterable<RecordingLine>): RunPicture {
  const picture = new RunPicture(run);
  for (const line of lines) picture.next(line);
  return picture;
}

async function story() {
  const job = summingJob();
  const { events, receipt } = await runStory(job, { faults: killing('sum', { times: 2 }) });
  const lines: RecordingLine[] = events.map(eventLine);
  // What no event carries, between them.
  lines.splice(5, 0, {
    type: 'chart',
    chart: 'region',
    definition: {
      ...{ key: 'region', type: 'compound', initial: 'created', states: [], transitions: [] },
      ...{ entry: [], exit: [], invokes: [], tags: [] },
    },
  });
  const actor = { actor: 0, id: 'run/region', chart: 'region', parent: undefined };
  lines.splice(6, 0, actorsLine(1, { started: [actor, { ...actor, actor: 1 }], states: [[0, ['created']]] }));
  lines.splice(40, 0, actorsLine(2, { states: [[0, ['live.running']]], stopped: [1] }));
  lines.splice(50, 0, sampleLine(3, 2), { type: 'gap', atMs: 3, lines: 7 });
  lines.splice(60, 0, {
    ...{ type: 'trace', atMs: 4, actor: 0, source: undefined, event: 'region.start' },
    ...{ payload: {}, taken: [], actions: [] },
  });
  return { run: lineOf(job), lines: lines.map(asRead), receipt };
}

describe('the picture of a run', () => {
  it('is the same with a `picture` line in place of the lines before it, wherever that is', async () => {
    const { run, lines } = await story();
    const whole = asRead(pictureOf(run, lines).toPlain());
    expect(lines.length).toBeGreaterThan(80);
    for (let at = 0; at <= lines.length; at += 3) {
      const early = pictureOf(run, lines.slice(0, at));
      const late = RunPicture.from(asRead(run), asRead(early.toPlain()), early.atMs);
      for (const line of lines.slice(at)) late.next(line);
      expect(asRead(late.toPlain())).toEqual(whole);
      expect(late.atMs).toBe(pictureOf(run, lines).atMs);
    }
  });

  it('agrees with the receipt of the run', async () => {
    const { run, lines, receipt } = await story();
    const picture = pictureOf(run, lines);
    expect([...picture.failovers.all].map((one) => one.receipt)).toEqual(asRead(receipt.failovers));
    expect(picture.rejected.value()).toEqual(receipt.rejected);
    expect(picture.attempts.countOf(0, 'finished') + picture.attempts.countOf(1, 'finished')).toBe(receipt.tasks.total);
    expect(picture.status).toBe('finished');
    const [first] = picture.failovers.all;
    expect(countOfIds(first?.decided?.reused ?? [])).toBe(first?.receipt.partitionsReused);
  });

  it('begins again with a `run` line', async () => {
    const { run, lines } = await story();
    const again = pictureOf(run, [...lines, runLine([['a', 3]], [])]);
    expect(again.toPlain()).toEqual(new RunPicture(runLine([['a', 3]], [])).toPlain());
  });

  it('merges a failure into the restart that was planned when it came', () => {
    const picture = new RunPicture(runLine([['a', 2]], []));
    const failed = (failover: number) =>
      picture.next(
        eventLine({
          ...{ type: 'task.failed', atMs: 1, failover, task: 'a[0]', attempt: 0, cause: new Error('away') },
          ...{ classification: 'recoverable', labels: {} },
        } as never),
      );
    const decided = (failover: number, newAttempt: boolean) =>
      picture.next(
        eventLine({
          ...{ type: 'failover.decided', atMs: 2, failover, regions: [failover - 1], again: [], reused: [] },
          ...{ consumersKeepRunning: false, taskCount: 1, delayMs: 5, newAttempt, why: undefined },
        } as never),
      );
    failed(1);
    failed(2);
    decided(1, true);
    decided(2, false);
    expect([...picture.failovers.all].map((one) => one.mergedInto)).toEqual([undefined, 1]);
  });

  it('knows why regions are quarantined, until they are released', () => {
    const picture = new RunPicture(runLine([['a', 2]], []));
    const quarantined = (region: number) =>
      eventLine({
        ...{ type: 'region.quarantined', atMs: 3, failover: 1, region, task: `a[${region}]`, cause: new Error('away') },
        ...{ taskCount: 1, failures: 3, why: 'it failed 3 times within 50 ms' },
      } as never);
    picture.next(quarantined(0));
    picture.next(quarantined(1));
    picture.next(eventLine({ type: 'region.released', atMs: 4, failover: 2, region: 0 } as never));
    const again = RunPicture.from(picture.run, asRead(picture.toPlain()));
    expect([...again.quarantined.values()]).toMatchObject([
      {
        region: 1,
        atMs: 3,
        task: 'a[1]',
        failures: 3,
        why: 'it failed 3 times within 50 ms',
        cause: { message: 'away' },
      },
    ]);
  });

  it('knows which results are lost, until another attempt of their producer is deployed', () => {
    const picture = new RunPicture(
      runLine(
        [
          ['a→b', 2],
          ['c', 1],
        ],
        [['a→b', 'blocking', 'c']],
      ),
    );
    picture.next(
      eventLine({ type: 'partition.lost', atMs: 1, partition: 'a→b[1]→c', cause: new Error('x'), location: undefined }),
    );
    expect([...picture.lost.keys()]).toEqual([1]);
    picture.next(taskLine(0, 1, 'deploying'));
    expect(picture.lost.size).toBe(1);
    picture.next(taskLine(1, 1, 'deploying'));
    expect(picture.lost.size).toBe(0);
  });
});

describe('the checkpoints of a picture', () => {
  const checkpointed = (atMs: number, checkpoint: number, tasks: readonly CheckpointedTask[]): JobEvent[] => {
    const scope = { component: 0 as ComponentId, head: 'ticks[0]', kind: 'checkpoint' } as const;
    const number = { checkpoint: checkpoint as CheckpointId, ...scope };
    return [
      { type: 'checkpoint.triggered', atMs, taskCount: tasks.length, finishedCount: 0, ...number },
      {
        ...{ type: 'checkpoint.completed', atMs: atMs + 2, durationMs: 2, bytes: 10, referencedBytes: 4 },
        ...{ alignmentMs: 1, tasks, ...number },
      },
    ];
  };
  const taskOf = (at: number): CheckpointedTask => ({
    ...{ task: `sums[${at}]`, bytes: 10, referencedBytes: 4, alignmentMs: at % 60, snapshotMs: 1, writeMs: 0 },
  });

  it('are those of the run, also behind a `picture` line, with plain causes', async () => {
    const job = Job.create('ticks', { mode: 'streaming' });
    job.source('ticks', tickingSource(200)).keyBy(Number).reduce(Math.max, { uid: 'sums' }).sink('out', collect());
    const options = { checkpoints: { intervalMs: 5 }, faults: killing('sums', { skip: 20 }) };
    const { events } = await runStory(job, options);
    const history = new CheckpointHistory();
    for (const event of events) history.next(event);
    const checkpoints = history.value();
    const lines = events.map((event) => asRead({ type: 'event' as const, event: recordedEvent(event, {}) }));
    const picture = pictureOf(lineOf(job), lines);
    expect(checkpoints[0]?.completed).toBeGreaterThan(3);
    const counts = ({ completed, failed, restored, latest }: (typeof checkpoints)[number]) => [
      completed,
      failed,
      restored,
      latest.map(({ checkpoint, state, bytes, tasks }) => [checkpoint, state, bytes, tasks]),
    ];
    expect(asRead(picture.checkpoints.map((one) => counts(one as never)))).toEqual(asRead(checkpoints.map(counts)));
    expect(asRead(RunPicture.from(lineOf(job), asRead(picture.toPlain())).checkpoints)).toEqual(
      asRead(picture.checkpoints),
    );
  });

  it('push no warning out of the notices', () => {
    const warning = { type: 'observer.failed', atMs: 0, observer: 'mine', cause: new Error('broken') } as const;
    const events: JobEvent[] = [warning];
    for (let at = 1; at <= 1_000; at++) events.push(...checkpointed(at, at, []));
    const picture = pictureOf(lineOf(summingJob()), events.map(eventLine));
    expect(picture.notices.map(({ type }) => type)).toEqual(['observer.failed']);
    expect(picture.checkpoints[0]).toMatchObject({ completed: 1_000, failed: 0 });
    expect(picture.checkpoints[0]?.latest.map(({ checkpoint }) => checkpoint)).toEqual(
      Array.from({ length: 10 }, (_, at) => 991 + at),
    );
  });

  it('are recorded with the tasks that took longest, of a job with many', () => {
    const tasks = Array.from({ length: 120 }, (_, at) => taskOf(at));
    const [, completed] = checkpointed(1, 1, tasks) as [JobEvent, JobEvent];
    const recorded = recordedEvent(completed, {});
    if (recorded.type !== 'checkpoint.completed') throw new Error('it became another event');
    const slowest = Array.from({ length: 120 }, (_, at) => at).filter((at) => at % 60 >= 35);
    expect(recorded.tasks.map(({ task }) => task)).toEqual(slowest.map((at) => `sums[${at}]`));
  });
});
