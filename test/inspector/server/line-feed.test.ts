import { LineFeed } from '../../../src/inspector/server/runs/line-feed.ts';
import { gap, HandRun } from './hand-run.ts';

interface Received {
  /** The number of the event, if it has one. */
  readonly id: number | undefined;
  readonly lines: number;
}

/** The events of a stream: as many as `count`, or up to its end. */
async function receive(stream: ReadableStream<Uint8Array> | undefined, count = Infinity): Promise<Received[]> {
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const events = text.split('\n\n').slice(0, -1);
    if (events.length >= count) break;
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((event) => {
      const [, id, data] = /^(?:id: (\d+)\n)?data: (.*)$/.exec(event) as unknown as [string, string?, string?];
      const { lines } = JSON.parse(data as string) as { lines: number };
      return { id: id === undefined ? undefined : Number(id), lines };
    });
}

/** The numbers told by events that are not part of an opening, which begins with 0. */
const numbers = (events: readonly Received[]): number[] => events.map(({ lines }) => lines);

function fedBy(run = new HandRun()) {
  return { run, feed: new LineFeed(run.lines, () => 7) };
}

describe('LF1: a viewer', () => {
  it('gets an opening and every line after it', async () => {
    const { run, feed } = fedBy();
    run.tell();
    const stream = feed.open(undefined);
    run.tell();
    run.tell();
    expect(await receive(stream, 4)).toEqual([
      { id: undefined, lines: 0 },
      { id: 1, lines: 1 },
      { id: 2, lines: 2 },
      { id: 3, lines: 3 },
    ]);
  });

  it('that joins late gets an opening, or an earlier one and the lines since', async () => {
    const { run, feed } = fedBy();
    feed.open(undefined);
    run.tell();
    run.tell();
    const late = feed.open(undefined);
    run.tell();
    expect(numbers(await receive(late, 5))).toEqual([0, 0, 1, 2, 3]);
    expect(run.openings).toBe(1);
  });

  it('is told how many lines it missed, and gets a new opening, if it is slow', async () => {
    const { run, feed } = fedBy();
    const stream = feed.open(undefined);
    const long = { ...gap(1), text: 'x'.repeat(100_000) };
    for (let line = 0; line < 30; line++) run.tell({ ...long, lines: line + 1 } as never);
    const events = await receive(stream, 5);
    expect(events).toEqual([
      { id: undefined, lines: 0 },
      { id: 1, lines: 0 },
      { id: undefined, lines: 30 },
      { id: undefined, lines: 0 },
      { id: 31, lines: 30 },
    ]);
    run.tell();
    expect(await receive(stream, 1)).toEqual([{ id: 32, lines: 31 }]);
  });

  it('gets the rest and the end', async () => {
    const { run, feed } = fedBy();
    const stream = feed.open(undefined);
    run.tell();
    run.end();
    expect(numbers(await receive(stream))).toEqual([0, 0, 1]);
    expect(feed.viewerCount).toBe(0);
  });

  it('of a run that has ended gets the opening and the end', async () => {
    const { run, feed } = fedBy();
    run.tell();
    run.end();
    expect(numbers(await receive(feed.open(undefined)))).toEqual([0, 1]);
    expect(run.listening).toBe(0);
  });

  it('that has everything of a run that has ended gets nothing', async () => {
    const { run, feed } = fedBy();
    run.end();
    const [, last] = await receive(feed.open(undefined));
    expect(feed.open(last?.id)).toBe(undefined);
  });
});

describe('LF2: a viewer that comes again', () => {
  it('gets the lines after the one it saw last', async () => {
    const { run, feed } = fedBy();
    feed.open(undefined);
    for (let line = 0; line < 4; line++) run.tell();
    const stream = feed.open(3);
    run.tell();
    expect(await receive(stream, 3)).toEqual([
      { id: 4, lines: 3 },
      { id: 5, lines: 4 },
      { id: 6, lines: 5 },
    ]);
  });

  it.each<[what: string, lastSeen: number]>([
    ['a line that was never sent', 99],
    ['a line that is no longer held', 2],
  ])('gets an opening if it saw %s', async (_, lastSeen) => {
    const { run, feed } = fedBy();
    feed.open(undefined);
    for (let line = 0; line < 30; line++) run.tell({ ...gap(line), text: 'x'.repeat(100_000) } as never);
    expect(numbers(await receive(feed.open(lastSeen), 2))).toEqual([0, 30]);
  });

  it('gets an opening if nobody listened in between', async () => {
    const { run, feed } = fedBy();
    const stream = feed.open(undefined);
    run.tell();
    const [, , last] = await receive(stream, 3);
    await stream?.cancel();
    run.tell();
    expect(numbers(await receive(feed.open(last?.id), 2))).toEqual([0, 2]);
  });
});

describe('LF3: lines', () => {
  it('are listened to from the first viewer to the last', async () => {
    const { run, feed } = fedBy();
    expect(run.listening).toBe(0);
    const streams = [feed.open(undefined), feed.open(undefined)];
    expect(run.listening).toBe(1);
    await streams[0]?.cancel();
    expect(run.listening).toBe(1);
    await streams[1]?.cancel();
    expect(run.listening).toBe(0);
    feed.open(undefined);
    expect(run.listening).toBe(1);
  });

  it('of a thousand viewers that never read take memory once', () => {
    const { run, feed } = fedBy();
    for (let viewer = 0; viewer < 1_000; viewer++) feed.open(undefined);
    const before = process.memoryUsage().arrayBuffers;
    for (let line = 0; line < 100; line++) run.tell({ ...gap(line), text: 'x'.repeat(100_000) } as never);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 << 20);
    expect(run.openings).toBe(1);
  });

  it('wait for a slow viewer in a chunk of bounded size', async () => {
    const { run, feed } = fedBy();
    const stream = feed.open(undefined) as ReadableStream<Uint8Array>;
    for (let line = 0; line < 5_000; line++) run.tell({ ...gap(line), text: 'x'.repeat(100) } as never);
    const reader = stream.getReader();
    await reader.read();
    const { value } = await reader.read();
    expect(value?.byteLength).toBeGreaterThan(60_000);
    expect(value?.byteLength).toBeLessThanOrEqual(64 * 1_024);
  });
});
