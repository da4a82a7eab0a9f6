import { stripVTControlCharacters } from 'node:util';
import picocolors from 'picocolors';
import { collect, explain, fixedDelay, fromArray, Job, type JobRun, type JobRunOptions } from 'kintsugi';
import { faultPlan, type VirtualEnvironment, virtualEnvironment } from 'kintsugi/testing';
import { JsonView } from '../../src/cli/progress/json-view.ts';
import { LiveBlock } from '../../src/cli/progress/live-block.ts';
import { LiveView } from '../../src/cli/progress/live-view.ts';
import { PlainView } from '../../src/cli/progress/plain-view.ts';
import { clockTime, progressTable } from '../../src/cli/progress/progress-table.ts';
import type { VertexProgress } from '../../src/cli/progress/run-progress.ts';
import type { RunView, ViewedRun } from '../../src/cli/progress/run-view.ts';
import { cutToWidth, padToWidth, printable, widthOf } from '../../src/cli/progress/text-width.ts';
import { CapturedSink } from './captured-io.ts';
import { Terminal } from './terminal.ts';

const [plain, colored] = [picocolors.createColors(false), picocolors.createColors(true)];

describe('the width of a text', () => {
  it.each([
    ['reviews', 7],
    ['日本語', 6],
    ['ｶﾅ', 2],
    ['ＡＢ', 4],
    ['한글', 4],
    ['naïve', 5],
    ['nai\u0308ve', 5],
    ['✗', 1],
    ['😀', 2],
    ['👩‍👩‍👧', 2],
    ['❤️', 2],
    ['\u200b', 0],
    ['', 0],
  ])('%s takes %d columns', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it.each([
    ['reviews', 7, 'reviews'],
    ['reviews', 4, 'rev…'],
    ['日本語です', 6, '日本…'],
    ['日本語です', 5, '日本…'],
    ['日本語です', 2, '…'],
    ['👩‍👩‍👧👩‍👩‍👧', 3, '👩‍👩‍👧…'],
    ['reviews', 0, ''],
  ])('%s is cut to %d columns: %s', (text, width, cut) => {
    expect(cutToWidth(text, width)).toBe(cut);
  });

  it('is filled up by columns, not letters', () => {
    expect(padToWidth('日本', 6)).toBe('日本  ');
    expect(padToWidth('7', 3, 'left')).toBe('  7');
  });

  it('counts nothing that commands the terminal, which is removed', () => {
    expect(printable('a\u001b[31mb\u001b[2J\u0007c\u009b1Ad\ne')).toBe('abcd\ne');
  });
});

const vertex = (name: string, given: Partial<VertexProgress> = {}): VertexProgress => ({
  ...{ vertex: name, tasks: 12, recordsIn: 1_234_567, recordsOut: 890_123, perSecond: 45_678 },
  ...{
    states: new Map([
      ['running', 11],
      ['finished', 1],
    ]),
  },
  ...given,
});

describe('the table of progress', () => {
  const head = { job: '評価 ratings', status: 'running', elapsedMs: 754_000, failures: 3 };
  const vertices = [
    vertex('reviews'),
    vertex('日本語の長い名前を持つ頂点です'),
    vertex('a-name-that-is-much-too-long-for-any-line', {
      states: new Map([
        ['failed', 1],
        ['running', 2],
      ]),
    }),
    vertex('done', { states: new Map([['finished', 12]]) }),
    vertex('idle', { states: new Map(), recordsIn: 0, recordsOut: 0, perSecond: 0 }),
  ];

  it('shows a line per vertex, aligned', () => {
    const lines = progressTable(head, [vertices[0], vertices[3], vertices[4]] as VertexProgress[], {
      ...{ columns: 100, lines: 20, colors: plain },
    });
    expect(lines.map(({ text }) => text)).toEqual(
      [
        '評価 ratings  running  12:34  3 failures',
        '  reviews   1/12  11 running  45,678/s  1,234,567 in  890,123 out',
        '  done     12/12                         1,234,567 in  890,123 out',
        '  idle      0/12                   0/s          0 in             ',
      ].map((line) => expect.stringMatching(new RegExp(`^${line.replace(/ +/g, ' +').replace(/[/.]/g, '\\$&')}$`))),
    );
    expect(new Set(lines.slice(1).map(({ width }) => width)).size).toBe(1);
  });

  it.each([1, 2, 5, 8, 12, 20, 33, 47, 60, 80, 120, 300])('fits in %d columns, with colors and without', (columns) => {
    for (const colors of [plain, colored]) {
      for (const { width, text } of progressTable(head, vertices, { columns, lines: 20, colors })) {
        expect(width).toBeLessThanOrEqual(columns);
        expect(widthOf(stripVTControlCharacters(text))).toBe(width);
      }
    }
  });

  it.each([1, 2, 3, 4, 5])('fits in %d lines: vertices that fail or run are shown before others', (lines) => {
    const shown = progressTable(head, vertices, { columns: 80, lines, colors: plain });
    expect(shown).toHaveLength(lines);
    const rest = [/ratings/, /reviews/, /日本語/, /a-name/, /… \d more/];
    for (const [index, { text }] of shown.entries()) {
      expect(text).toMatch(index === lines - 1 && lines > 2 ? /… \d more/ : (rest[index] as RegExp));
    }
  });

  it.each([
    [0, '0:00'],
    [61_500, '1:01'],
    [3_723_000, '1:02:03'],
  ])('%d ms are %s', (ms, time) => {
    expect(clockTime(ms)).toBe(time);
  });
});

describe('a block of lines that is redrawn', () => {
  const line = (text: string) => ({ text, width: widthOf(text) });

  it('replaces what it drew before, also by fewer lines, and goes', () => {
    const terminal = new Terminal(40, 10);
    const block = new LiveBlock(terminal);
    terminal.write('before\n');
    block.draw([line('one'), line('two, which is longer'), line('three')]);
    block.draw([line('一'), line('two')]);
    expect(terminal.screen).toEqual(['before', '一', 'two']);
    block.clear();
    terminal.write('after\n');
    expect(terminal.screen).toEqual(['before', 'after']);
  });

  it('finds its first line in a terminal that has become narrower', () => {
    const wide = new Terminal(40, 10);
    const block = new LiveBlock(wide);
    block.draw([line('x'.repeat(30)), line('y'.repeat(15))]);
    const narrow = new Terminal(10, 10);
    narrow.write(`before\n${'x'.repeat(30)}\n${'y'.repeat(15)}\n`);
    wide.columns = 10;
    wide.write = (text) => narrow.write(text);
    block.draw([line('one')]);
    expect(narrow.screen).toEqual(['before', 'one']);
  });
});

/** A run on virtual time, that takes about `seconds`. */
function viewedRun(seconds: number, options: JobRunOptions & { readonly failures?: number } = {}) {
  const { failures = 0, ...runOptions } = options;
  const faults = faultPlan();
  if (failures > 0) faults.fail('task.batch', { when: ({ vertex: name }) => name === 'sums', times: failures });
  const environment = virtualEnvironment({ faults });
  const job = Job.create('ratings', { parallelism: 2 });
  const wait = (n: number): Promise<number> =>
    new Promise((resolve) => environment.clock.setTimeout(() => resolve(n), seconds * 1_000));
  job
    .source('reviews', fromArray([1, 2, 3, 4]))
    .mapAsync(wait, { uid: 'wait', remember: false, concurrency: 4 })
    .keyBy((n) => n)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', collect());
  const restartBackoff = fixedDelay({ maxAttempts: 50, delayMs: 400 });
  const run = job.run({ environment, restartBackoff, ...runOptions });
  const viewed: ViewedRun = { run, vertices: explain(job).vertices, clock: environment.clock };
  return { environment, run, viewed };
}

/** Shows a run to its end. */
async function show(view: RunView, run: JobRun, environment: VirtualEnvironment): Promise<void> {
  const events = run.events$.subscribe((event) => view.next(event));
  await environment.drive(run.result);
  events.unsubscribe();
  view.end();
}

describe('the live view', () => {
  it('redraws at most four times a second, and leaves nothing behind', async () => {
    const { environment, run, viewed } = viewedRun(10);
    const terminal = new Terminal(80, 24);
    const view = new LiveView(viewed, terminal, plain);
    const frames: string[][] = [];
    environment.clock.setTimeout(() => frames.push(terminal.screen), 5_000);
    await show(view, run, environment);
    expect(terminal.writes).toBeGreaterThan(10);
    expect(terminal.writes).toBeLessThanOrEqual(10 * 4 + 4);
    expect(frames).toEqual([
      [
        expect.stringMatching(/^ratings {2}running {2}0:0[45]$/),
        expect.stringMatching(/^ {2}reviews {2}0\/2 {2}2 running .* 4 in$/),
        expect.stringMatching(/^ {2}sums {5}0\/2 .* 0 in$/),
      ],
    ]);
    expect(terminal.screen).toEqual([]);
    const { writes } = terminal;
    environment.advance(10_000);
    expect(terminal.writes).toBe(writes);
  });

  it('shows failures and restarts above the lines, for good', async () => {
    const { environment, run, viewed } = viewedRun(1, { failures: 1 });
    const terminal = new Terminal(120, 24);
    await show(new LiveView(viewed, terminal, plain), run, environment);
    expect(terminal.screen).toEqual([
      expect.stringMatching(/^sums\[[01]\] failed: The fault armed at "task\.batch" fired/),
      expect.stringMatching(/^1 task restarts in 400 ms$/),
      expect.stringMatching(/^Everything runs again after 4\d\d ms$/),
    ]);
  });

  it('of a storm of failures shows the first, and their number', async () => {
    const { environment, run, viewed } = viewedRun(1, {
      failures: 30,
      restartBackoff: fixedDelay({ maxAttempts: 50, delayMs: 1 }),
    });
    const terminal = new Terminal(120, 24);
    await show(new LiveView(viewed, terminal, plain), run, environment);
    expect(terminal.screen.length).toBeLessThan(20);
    expect(terminal.screen.at(-1)).toMatch(/^… and \d+ more messages$/);
  });

  it('makes room for what others write, also without an end of line', async () => {
    const { environment, run, viewed } = viewedRun(10);
    const terminal = new Terminal(80, 24);
    const view = new LiveView(viewed, terminal, plain);
    for (const [atMs, text] of [
      [2_100, 'a line of the job\n'],
      [4_100, 'half a line'],
    ] as const) {
      environment.clock.setTimeout(() => {
        view.makeRoom(text);
        terminal.write(text);
      }, atMs);
    }
    let screen: string[] = [];
    environment.clock.setTimeout(() => (screen = terminal.screen), 5_000);
    await show(view, run, environment);
    expect(screen.slice(0, 3)).toEqual(['a line of the job', 'half a line', expect.stringMatching(/^ratings/)]);
    expect(screen).toHaveLength(5);
    expect(terminal.screen).toEqual(['a line of the job', 'half a line']);
  });
});

describe('the plain view', () => {
  it('writes what happens, and every ten seconds how far the vertices are', async () => {
    const { environment, run, viewed } = viewedRun(25, { failures: 1 });
    const sink = new CapturedSink();
    await show(new PlainView(viewed, sink), run, environment);
    expect(sink.text.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^\[0:00\] Job "ratings" is running$/),
      expect.stringMatching(/^\[0:\d\d\] reviews: 0\/2 finished, 4 records, 0\/s$/),
      expect.stringMatching(/^\[0:\d\d\] reviews: 0\/2 finished, 4 records, 0\/s$/),
      expect.stringMatching(/^\[0:25\] sums\[[01]\] failed: /),
      expect.stringMatching(/^\[0:25\] 1 task restarts in 400 ms$/),
      expect.stringMatching(/^\[0:25\] Everything runs again after 4\d\d ms$/),
      expect.stringMatching(/^\[0:2[56]\] Job "ratings" is finished$/),
    ]);
  });
});

describe('the view for machines', () => {
  it('writes an event with an error that JSON cannot express, without its secrets', () => {
    const sink = new CapturedSink();
    const view = new JsonView(viewedRun(1).viewed, sink);
    const request: Record<string, unknown> = { bytes: 2n, headers: { authorization: 'Bearer gold' } };
    request['self'] = request;
    const cause = Object.assign(new Error('away'), { request, tags: new Set(['a']) });
    view.next({ type: 'observer.failed', atMs: 5, observer: 'logger', cause });
    view.end();
    expect(JSON.parse(sink.text)).toMatchObject({
      type: 'event',
      event: {
        ...{ type: 'observer.failed', atMs: 5, observer: 'logger' },
        cause: {
          ...{ name: 'Error', message: 'away' },
          data: {
            request: {
              bytes: { $: 'bigint', value: '2' },
              headers: { authorization: '(left out)' },
              self: { $: 'cycle' },
            },
            tags: { $: 'set', values: ['a'], size: 1 },
          },
        },
      },
    });
  });

  it('writes every event, and every second the progress, as a line of JSON', async () => {
    const { environment, run, viewed } = viewedRun(3, { failures: 1 });
    const sink = new CapturedSink();
    let count = 0;
    run.events$.subscribe(() => count++);
    await show(new JsonView(viewed, sink), run, environment);
    const lines = sink.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ type }) => type === 'event')).toHaveLength(count);
    const progress = lines.filter(({ type }) => type === 'progress');
    expect(progress).toHaveLength(3);
    expect(progress[1]).toEqual({
      ...{ type: 'progress', atMs: expect.any(Number), status: 'running' },
      vertices: [
        {
          vertex: 'reviews',
          tasks: 2,
          states: expect.objectContaining({ running: 2 }),
          recordsIn: 4,
          recordsOut: 0,
          perSecond: 0,
        },
        { vertex: 'sums', tasks: 2, states: expect.any(Object), recordsIn: 0, recordsOut: 0, perSecond: 0 },
      ],
    });
  });
});
