import { RecordingFile } from '../../../src/inspector/page/store/recording-file.ts';
import type { RecordingLine } from '../../../src/inspector/recording/recording-line.ts';
import { RunPicture } from '../../../src/inspector/recording/run-picture.ts';
import { runLine, sampleLine, taskLine } from '../recorded-lines.ts';

const run = runLine([['a', 50]], []);

/** Fifty tasks that run again and again, line by line, a ms each. */
function longRun(lines: number): RecordingLine[] {
  const states = ['created', 'scheduled', 'deploying', 'running', 'failed'];
  return Array.from({ length: lines }, (_, at) => {
    if (at % 97 === 0 || at % 2_000 === 1_998) return sampleLine(at);
    return taskLine(at % 50, Math.floor(at / 250), states[Math.floor(at / 50) % 5] as string, at);
  });
}

function textOf(lines: readonly RecordingLine[]): string {
  return [run, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
}

describe('a recording', () => {
  const lines = longRun(9_000);
  const file = new RecordingFile(textOf(lines), 'run.jsonl');

  it.each([9_001, 8_999, 4_500, 2_001, 2_000, 1_999, 2, 1])('shows the run after %i lines', (count) => {
    const picture = new RunPicture(run);
    for (const line of lines.slice(0, count - 1)) picture.next(line);
    expect(JSON.stringify(file.pictureAfter(count).toPlain())).toBe(JSON.stringify(picture.toPlain()));
  });

  it('is gone through in any direction', () => {
    const seen = (count: number): string => JSON.stringify(file.pictureAfter(count).toPlain());
    const first = seen(3_000);
    expect(seen(8_000)).not.toBe(first);
    expect(seen(3_001)).not.toBe(first);
    expect(seen(3_000)).toBe(first);
  });

  it('finds the line of a time', () => {
    expect([file.startMs, file.endMs, file.lineCount]).toEqual([0, 8_999, 9_001]);
    expect(file.linesUntil(-1)).toBe(1);
    expect(file.linesUntil(4_000)).toBe(4_002);
    expect(file.timeAfter(4_002)).toBe(4_000);
    expect(file.linesUntil(Infinity)).toBe(9_001);
  });

  it('of a process that crashed in the middle of a line can be read', () => {
    const torn = new RecordingFile(textOf(lines.slice(0, 10)).slice(0, -7), 'run.jsonl');
    expect([torn.lineCount, torn.unreadable]).toEqual([10, 1]);
    expect(torn.pictureAfter(10).attempts.size).toBe(8);
  });

  it('that is another file is refused by its name', () => {
    expect(() => new RecordingFile('name,age\n', 'table.csv')).toThrow(/table\.csv.*not a recording/);
  });
});
