import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { WalkReport } from '../../bench/walk/report.ts';
import type { Entry } from '../../bench/walk/walker.ts';
import { isLong } from '../support/draws.ts';

const root = join(__dirname, '../..');

type TracedReport = WalkReport & { readonly trace: readonly Entry[] };

async function walk(name: string): Promise<TracedReport> {
  const arguments_ = ['--import', 'tsx', 'bench/walk/main.ts', name, '--json', '--trace'];
  const { stdout } = await promisify(execFile)(process.execPath, arguments_, { cwd: root, maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as TracedReport;
}

/** File names only: folders may change. */
function fileNames({ files }: WalkReport): string[] {
  return files.map(({ name }) => basename(name));
}

describe('the walk of one failure', () => {
  let failure: TracedReport;

  beforeAll(async () => {
    failure = await walk('failure');
  });

  if (isLong) {
    it('is the same in every process, function by function', async () => {
      expect(await walk('failure')).toEqual(failure);
    });
  }

  it.each([
    'stream-task.ts',
    'execution-machine.ts',
    'region-machine.ts',
    'job-master-machine.ts',
    'failure-classifier.ts',
    'restart-pipelined-region.ts',
    'fixed-delay.ts',
    'slot-pool.ts',
    'task-actor.ts',
  ])('enters %s', (file) => {
    expect(fileNames(failure)).toContain(file);
  });

  it('leaves out observers, and what they call', () => {
    const names = fileNames(failure);
    for (const file of ['receipt-book.ts', 'observers.ts', 'log-event.ts', 'job-run.ts', 'exception-history.ts']) {
      expect(names).not.toContain(file);
    }
    expect(failure.trace.filter(({ name }) => /\b(recordState|observe)\b/.test(name))).toEqual([]);
    expect(failure.leftOut).toContainEqual(expect.stringContaining('recordState()'));
  });

  it('counts a switch whenever the next function is in another file', () => {
    const { trace, files, parts, pairs, switches, entries } = failure;
    const others = trace.filter(({ file }, index) => index > 0 && trace[index - 1]?.file !== file);
    expect([switches, entries, files.length]).toEqual([
      others.length,
      trace.length,
      new Set(trace.map(({ file }) => file)).size,
    ]);
    expect(sum(pairs.map(({ count }) => count))).toBe(switches);
    expect(sum(parts.map((part) => part.switches))).toBe(switches);
    expect(sum(files.map(({ count }) => count))).toBe(entries);
  });

  it('counts again without lookups in the graph and the kernel', () => {
    const steps = failure.trace.filter(({ file }) => /^(?!errors|graph|journal).+\//.test(file));
    expect(steps.length).toBeLessThan(failure.entries);
    expect(failure.withoutLookups).toEqual({
      files: new Set(steps.map(({ file }) => file)).size,
      switches: steps.filter(({ file }, index) => index > 0 && steps[index - 1]?.file !== file).length,
    });
  });
});

describe('the walk of one batch', () => {
  it('goes from the producer through the retained result to the consumer, without touching a chart', async () => {
    const batch = await walk('batch');
    expect(fileNames(batch)).toEqual(
      expect.arrayContaining(['stream-task.ts', 'record-writer.ts', 'retained-log.ts', 'input-gate.ts']),
    );
    expect(fileNames(batch).filter((file) => file.endsWith('-machine.ts'))).toEqual([]);
  });
});

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
