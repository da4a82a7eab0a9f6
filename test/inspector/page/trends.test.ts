import { failureRate, recoveryTimes, storage, throughput } from '../../../src/inspector/page/trends/series.ts';
import type { SampleLine } from '../../../src/inspector/recording/samples/sample-line.ts';
import { RunPicture } from '../../../src/inspector/recording/run-picture.ts';
import { eventLine, runLine, sampleLine } from '../recorded-lines.ts';

const run = runLine(
  [
    ['in', 1],
    ['out', 1],
  ],
  [['in', 'blocking', 'out']],
);

function sample(atMs: number, read: number, written: number): SampleLine {
  const vertex = (recordsIn: number, recordsOut: number) => ({ recordsIn, recordsOut, backPressure: 0 });
  return { ...sampleLine(atMs), vertices: [vertex(read, written), vertex(written, 0)] };
}

it('throughput is what moved between two samples; nothing moves backwards', () => {
  const picture = new RunPicture(run);
  for (const line of [sample(0, 0, 0), sample(500, 100, 50), sample(1_500, 100, 20)]) picture.next(line);
  expect(throughput(picture)).toEqual({
    atS: [0.5, 1.5],
    lines: [
      { name: 'read from sources', values: [200, 0] },
      { name: 'written by tasks', values: [100, 0] },
    ],
  });
  expect(storage(picture).lines.map(({ values }) => values)).toEqual([
    [1, 1, 1],
    [2, 2, 2],
  ]);
});

it('failures are counted by the minute, and recoveries by their failure', () => {
  const picture = new RunPicture(run);
  const failover = 1;
  const about = { atMs: 30_000, failover, task: 'in[0]', attempt: 0, cause: new Error('x'), labels: {} };
  picture.next(eventLine({ type: 'task.failed', classification: 'recoverable', ...about } as never));
  picture.next(
    eventLine({ type: 'failover.completed', atMs: 30_200, failover, regions: [0], durationMs: 200 } as never),
  );
  picture.next(sampleLine(60_000));
  const { atS, lines } = failureRate(picture);
  expect(lines[0]?.values.reduce<number>((sum, value) => sum + (value ?? 0), 0)).toBe(60);
  expect(lines[0]?.values.indexOf(60)).toBe(30);
  expect(atS[30]).toBe(30.5);
  expect(recoveryTimes(picture)).toEqual({
    atS: [30],
    lines: [
      { name: 'to running', values: [200] },
      { name: 'of it backoff', values: [0] },
    ],
  });
});
