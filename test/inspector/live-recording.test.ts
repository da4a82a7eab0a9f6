import { recordRun } from '../../src/inspector/recorder/live-recording.ts';
import { LineRing } from '../../src/inspector/recorder/line-ring.ts';
import type { RecordingLine } from '../../src/inspector/recording/recording-line.ts';
import type { SampleLine } from '../../src/inspector/recording/samples/sample-line.ts';
import { collect, fromIterable, Job, type JobEvent, noRestart } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { enters, eventsIn, heard, pictureOf, recordedRun, startedRun } from './recorded-run.ts';

/** Whether a line tells events of the job. */
const isOfEvents = ({ type }: RecordingLine): boolean => type === 'event' || type === 'changes';
const samplesIn = (lines: readonly RecordingLine[]): SampleLine[] => lines.filter((line) => line.type === 'sample');

describe('a recording', () => {
  it('has every event of the run, in order', async () => {
    const { run, environment } = startedRun();
    const recording = recordRun(run);
    const events: JobEvent[] = [];
    run.events$.subscribe((event) => events.push(event));
    const { lines } = heard(recording);
    await environment.drive(run.result);
    const named = events.map(({ type, atMs }) => [type, atMs]);
    expect(eventsIn(lines).map(({ type, atMs }) => [type, atMs])).toEqual(named);
    const frequent = (one: { readonly type: string }) => /Changed$|^task\.ended$/.test(one.type);
    const withoutFiles = events.map(({ stored: _, ...event }: JobEvent & { stored?: unknown }) => event);
    expect(eventsIn(lines).filter(frequent)).toEqual(withoutFiles.filter(frequent));
  });

  it('amounts to what the receipt counts', async () => {
    const { lines, receipt } = await recordedRun();
    const { attempts, status, failovers } = pictureOf(lines);
    expect(status).toBe('finished');
    const deployed = Array.from({ length: attempts.size }, (_, row) => attempts.deployingMs.at(row));
    expect(deployed.filter((atMs) => !Number.isNaN(atMs))).toHaveLength(receipt.tasks.attempts);
    const inAll = Array.from({ length: attempts.size }, (_, row) => attempts.recordsIn.at(row)).reduce((a, b) => a + b);
    const moved = Object.values(receipt.movedByVertex).reduce((sum, { recordsIn }) => sum + recordsIn, 0);
    expect(inAll).toBe(moved);
    expect([...failovers.all].map((failover) => failover.receipt)).toEqual(receipt.failovers);
    expect(
      samplesIn(lines)
        .at(-1)
        ?.vertices.map(({ recordsIn }) => recordsIn),
    ).toEqual(Object.values(receipt.movedByVertex).map(({ recordsIn }) => recordsIn));
  });

  it.each<[string, (event: JobEvent) => boolean]>([
    ['before it begins', () => true],
    ['while tasks run', enters('numbers[0]', 'running')],
    ['after a failure', ({ type }) => type === 'failover.decided'],
    ['near the end', enters('sums[0]', 'finished')],
  ])('LR1: a listener that comes %s gets what amounts to the same', async (_, comes) => {
    const { environment, run, until } = startedRun();
    const recording = recordRun(run);
    const first = heard(recording);
    await until(comes);
    const late = heard(recording);
    await environment.drive(run.result);
    expect(pictureOf(late.lines).toPlain()).toEqual(pictureOf(first.lines).toPlain());
    expect(pictureOf([...recording.opening()]).toPlain()).toEqual(pictureOf(first.lines).toPlain());
  });

  it('LR1: one that comes within a turn gets what has happened in it once', async () => {
    const { environment, run } = startedRun();
    const recording = recordRun(run);
    const first = heard(recording);
    let late: ReturnType<typeof heard> | undefined;
    insideOf(run).events$.subscribe((event) => {
      if (enters('sums[1]', 'deploying')(event)) late = heard(recording);
    });
    await environment.drive(run.result);
    expect(pictureOf(late?.lines ?? []).toPlain().moves).toEqual(pictureOf(first.lines).toPlain().moves);
    expect(pictureOf(late?.lines ?? []).toPlain()).toEqual(pictureOf(first.lines).toPlain());
  });

  it.each([0, 500, 5_000, 1 << 20])(
    'LR2: keeps %i bytes of lines, and a picture of those before',
    async (keepBytes) => {
      const { recording, lines } = await recordedRun({ keepBytes });
      const kept = [...recording.lines()];
      expect(pictureOf(kept).toPlain()).toEqual(pictureOf(lines).toPlain());
      const [, second] = kept;
      const withoutPicture = second?.type === 'picture' ? kept.slice(2) : kept.slice(1);
      const bytes = withoutPicture.reduce((sum, line) => sum + JSON.stringify(line).length, 0);
      expect(bytes).toBeLessThanOrEqual(keepBytes);
      expect(kept.length).toBeGreaterThan(keepBytes >= 5_000 ? 5 : 1);
    },
  );

  it('that begins under way shows the present states, and counts what was read before', async () => {
    const { environment, run, until } = startedRun();
    await until(enters('sums[1]', 'running'));
    const recording = recordRun(run);
    const { attempts, regionState, status } = pictureView(recording.opening());
    expect(status).toBe('running');
    const { taskOf, regionStateOf } = insideOf(run);
    for (const task of [0, 1, 2, 3]) {
      const row = attempts.latestOf(task);
      expect([attempts.attempt.at(row), attempts.stateOf(row)]).toEqual(Object.values(taskOf(task as never)));
      expect(regionState(task)).toBe(regionStateOf(task as never));
    }
    const { lines } = heard(recording);
    const { receipt } = await environment.drive(run.result);
    expect(
      samplesIn(lines)
        .at(-1)
        ?.vertices.map(({ recordsOut }) => recordsOut),
    ).toEqual(Object.values(receipt.movedByVertex).map(({ recordsOut }) => recordsOut));
  });

  it('that begins after failures has the latest of them, their decisions and receipts, and the executors', async () => {
    const { environment, run, until } = startedRun();
    await until(({ type }) => type === 'failover.completed');
    const recording = recordRun(run);
    const { failovers, executors } = pictureOf([...recording.opening()]);
    const [first] = failovers.all;
    expect(first).toMatchObject({ failure: { task: 'numbers[1]' }, decided: { delayMs: 700 } });
    expect(first?.completedMs).toBeGreaterThan(0);
    expect([...executors.keys()]).toEqual(['local-0']);
    await environment.drive(run.result);
    expect([...pictureOf([...recording.opening()]).failovers.all].map((failover) => failover.receipt)).toEqual(
      run.receipt().failovers,
    );
  });

  it('of a run that is over says so', async () => {
    const { run, environment } = startedRun();
    await environment.drive(run.result);
    const recording = recordRun(run);
    expect(pictureOf([...recording.opening()]).status).toBe('finished');
    const ended: boolean[] = [];
    recording.listen({ next: () => {}, ended: () => ended.push(true) });
    expect(ended).toEqual([true]);
  });

  it('observes no actor and takes no sample until somebody listens, and after the last has left', async () => {
    const { environment, run, until } = startedRun();
    const recording = recordRun(run);
    await until(enters('numbers[0]', 'running'));
    expect([...recording.lines()].filter((line) => line.type !== 'run' && !isOfEvents(line))).toEqual([]);
    const { stop } = heard(recording);
    await until(({ type }) => type === 'failover.decided');
    stop();
    const before = [...recording.lines()].filter((line) => !isOfEvents(line));
    await until(enters('sums[1]', 'running'));
    expect(before.some(({ type }) => type === 'actors')).toBe(true);
    expect([...recording.lines()].filter((line) => !isOfEvents(line))).toEqual(before);
    await environment.drive(run.result);
  });

  it('at level `counts` says nothing of actors', async () => {
    const { lines } = await recordedRun({ level: 'counts' });
    expect(new Set(lines.slice(2).map(({ type }) => type))).toEqual(new Set(['event', 'changes', 'sample']));
  });

  it('a listener that throws is reported, not called again, and harms neither the run nor other listeners', async () => {
    const { environment, run } = startedRun();
    const recording = recordRun(run);
    let calls = 0;
    recording.listen({
      next: () => {
        calls++;
        throw new Error('broken viewer');
      },
      ended: () => {},
    });
    const { lines } = heard(recording);
    await environment.drive(run.result);
    expect(calls).toBe(1);
    const failed = eventsIn(lines).filter(({ type }) => type === 'observer.failed');
    expect(failed).toMatchObject([{ observer: 'inspector', cause: { message: 'broken viewer' } }]);
    expect(pictureOf(lines).status).toBe('finished');
  });

  it('is redacted: errors with their data, and pictures of records', async () => {
    const environment = virtualEnvironment();
    const job = Job.create('patients');
    job
      .source('rows', fromIterable([{ name: 'Ada' }]))
      .map(({ name }): string => {
        throw Object.assign(new Error(`cannot treat ${name}`), { patient: { name }, token: 't-1' });
      })
      .sink('out', collect());
    const run = job.run({ environment, restartBackoff: noRestart() });
    const redact = (value: unknown, path: string): unknown =>
      typeof value === 'string' && path !== 'task.failed.cause.name' ? value.replaceAll('Ada', '***') : value;
    const recording = recordRun(run, { redact });
    const { lines } = heard(recording);
    await environment.drive(run.result.catch(() => {}));
    const text = JSON.stringify([lines, [...recording.lines()], recording.opening()]);
    expect(text).toContain('cannot treat ***');
    expect(text).not.toMatch(/Ada|t-1/);
  });
});

describe('samples', () => {
  it('count records, and the share of time in which tasks wait for room', async () => {
    const environment = virtualEnvironment();
    const job = Job.create('slow', { mode: 'streaming' });
    function* endless(): Generator<number> {
      for (let n = 0; ; n++) yield n;
    }
    job
      .source('numbers', fromIterable(endless))
      .keyBy((n) => n % 2, { exchange: 'pipelined' })
      .mapAsync(
        async (n) => {
          await new Promise<void>((resolve) => environment.clock.setTimeout(resolve, 50));
          return n;
        },
        { uid: 'slow', concurrency: 1 },
      )
      .sink('out', collect());
    const run = job.run({ environment, batchSize: 4 });
    const recording = recordRun(run, { sampleEveryMs: 1_000 });
    const { lines } = heard(recording);
    await environment.runUntil(() => samplesIn(lines).length >= 5);
    const last = samplesIn(lines).at(-1) as SampleLine;
    expect(last.vertices[0]?.backPressure).toBeGreaterThan(0.9);
    expect(last.vertices[1]?.backPressure).toBe(0);
    expect(last.vertices[1]?.recordsIn).toBeGreaterThan(20);
    const times = samplesIn(lines).map(({ atMs }) => atMs);
    expect(times.slice(1).map((atMs, index) => atMs - (times[index] as number))).toEqual([1_000, 1_000, 1_000, 1_000]);
    await environment.drive(run.cancel());
  });
});

describe('the ring of lines', () => {
  const line = (atMs: number): RecordingLine => ({ type: 'gap', atMs, lines: 1 });

  it('drops the oldest lines first, and knows their number', () => {
    const dropped: RecordingLine[] = [];
    const ring = new LineRing(10 * JSON.stringify(line(1_000)).length, (one) => dropped.push(one));
    for (let atMs = 1_000; atMs < 6_000; atMs++) ring.push(line(atMs));
    expect([ring.start, ring.end]).toEqual([4_990, 5_000]);
    expect([...ring.from(4_998)]).toEqual([line(5_998), line(5_999)]);
    expect(dropped).toHaveLength(4_990);
    expect(dropped.at(-1)).toEqual(line(5_989));
  });

  it('holds nothing of a line that is too large', () => {
    const ring = new LineRing(10, () => {});
    ring.push(line(1));
    expect([...ring.from(ring.start)]).toEqual([]);
  });
});

function pictureView(lines: readonly RecordingLine[]) {
  const picture = pictureOf(lines);
  const { attempts, status } = picture;
  return { attempts, status, regionState: (region: number) => picture.regionState(region) };
}
