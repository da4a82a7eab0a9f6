import { executorList } from '../../src/inspector/recording/executor-list.ts';
import type { RecordingLine } from '../../src/inspector/recording/recording-line.ts';
import type { ExecutorSample } from '../../src/inspector/recording/samples/sample-line.ts';
import { recordRun } from '../../src/inspector/recorder/live-recording.ts';
import { RunPicture } from '../../src/inspector/recording/run-picture.ts';
import type { JobEvent } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { asRead, eventLine, runLine, sampleLine } from './recorded-lines.ts';
import { enters, heard, pictureOf, startedRun } from './recorded-run.ts';

const registered = (executor: string, slots = 2): RecordingLine =>
  eventLine({ type: 'executor.registered', atMs: 1, executor, slots } as JobEvent);
const lost = (executor: string, why: string): RecordingLine =>
  eventLine({ type: 'executor.lost', atMs: 5, executor, cause: new Error(why) } as JobEvent);
const told = (type: string, executor: string): RecordingLine =>
  eventLine({ type, atMs: 6, executor, graceMs: 9 } as never);
const sampled = (...executors: readonly (Partial<ExecutorSample> & { executor: string })[]): RecordingLine => ({
  ...sampleLine(3),
  executors: executors.map((one) => ({
    ...{ state: 'registered', usedSlots: 1, taskCount: 1, tasks: [0], memoryBytes: 7, diskBytes: 8, ...one },
  })),
});
const status = (name: string): RecordingLine =>
  eventLine({ type: 'job.statusChanged', atMs: 9, status: name } as JobEvent);

describe('the executors of a picture', () => {
  it.each<[what: string, lines: readonly RecordingLine[], shown: readonly object[]]>([
    ['that has just registered', [registered('a')], [{ state: 'registered', slots: 2, usedSlots: 0, taskCount: 0 }]],
    ['without a limit of slots', [registered('a', Infinity)], [{ slots: null }]],
    [
      'that runs a task',
      [registered('a'), sampled({ executor: 'a', silentMs: 40, incarnation: 3 })],
      [{ state: 'registered', usedSlots: 1, tasks: [0], silentMs: 40, incarnation: 3, memoryBytes: 7, diskBytes: 8 }],
    ],
    [
      'that is starting',
      [sampled({ executor: 'a', state: 'connecting' })],
      [{ state: 'connecting', slots: undefined }],
    ],
    [
      'that has registered since the sample',
      [sampled({ executor: 'a', state: 'connecting' }), registered('a')],
      [{ state: 'registered', slots: 2 }],
    ],
    [
      'that is in a state of a later version',
      [registered('a'), sampled({ executor: 'a', state: 'resting' })],
      [{ state: 'resting' }],
    ],
    [
      'that drains since the sample',
      [registered('a'), sampled({ executor: 'a' }), told('executor.draining', 'a')],
      [{ state: 'draining', usedSlots: 1, tasks: [0], goneMs: undefined }],
    ],
    [
      'that has drained',
      [registered('a'), sampled({ executor: 'a' }), told('executor.draining', 'a'), told('executor.drained', 'a')],
      [{ state: 'stopped', why: 'it was drained', goneMs: 6, usedSlots: 0, tasks: [] }],
    ],
    [
      'that was lost while it drained',
      [registered('a'), told('executor.draining', 'a'), lost('a', 'silent'), status('finished')],
      [{ state: 'lost', why: 'silent', goneMs: 5 }],
    ],
    [
      'that was lost since the sample, and its replacement',
      [registered('a'), sampled({ executor: 'a' }), lost('a', 'silent'), registered('b')],
      [
        { executor: 'a', state: 'lost', why: 'silent', goneMs: 5, usedSlots: 0, tasks: [] },
        { executor: 'b', state: 'registered', why: undefined, goneMs: undefined },
      ],
    ],
    [
      'of a run that is over',
      [registered('a'), registered('b'), lost('a', 'silent'), status('finished')],
      [{ state: 'lost' }, { state: 'stopped' }],
    ],
  ])('%s', (_, lines, shown) => {
    const picture = new RunPicture(runLine([['a', 1]], []));
    for (const line of lines) picture.next(asRead(line));
    expect(executorList(picture)).toMatchObject(shown);
    expect(executorList(RunPicture.from(picture.run, asRead(picture.toPlain())))).toEqual(executorList(picture));
  });

  it('are those of the run, at any time of its recording: what ran where, and what was lost', async () => {
    const { environment, run, until } = startedRun({ executors: 2, slots: 2 });
    const { lines } = heard(recordRun(run, { sampleEveryMs: 1 }));
    await until(enters('numbers[0]', 'running'));
    const picture = pictureOf(lines);
    let read = lines.length;
    await environment.runUntil(() => {
      const fresh = lines.slice(read);
      for (const line of fresh) picture.next(asRead(line));
      read = lines.length;
      return fresh.length > 0 && executorList(picture).some(({ taskCount }) => taskCount > 0);
    });
    const before = lines.length;
    const present = [...insideOf(run).executors()].map(
      ({ executor, usedSlots, tasks }) => `${executor} registered ${usedSlots}/2 ${tasks.join()}`,
    );
    insideOf(run).controls.loseExecutor('local-0' as never);
    await environment.drive(run.result);
    const shownAfter = (count: number): string[] =>
      executorList(pictureOf(lines.slice(0, count))).map(
        ({ executor, state, usedSlots, slots, tasks }) => `${executor} ${state} ${usedSlots}/${slots} ${tasks.join()}`,
      );
    expect(shownAfter(before)).toEqual(present);
    expect(present.join()).toContain('registered 1/2');
    expect(shownAfter(lines.length)).toEqual(['local-0 lost 0/2 ', 'local-1 stopped 0/2 ', 'local-2 stopped 0/2 ']);
    expect(executorList(pictureOf(lines))[0]?.why).toMatch(/it was killed on purpose$/);
    // They are most of a sample: only the present has them.
    expect(pictureOf(lines).samples.all.filter(({ executors }) => executors !== undefined)).toHaveLength(1);
  });
});
