import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeHandler } from '../../src/inspector/index.ts';
import { PageFiles } from '../../src/inspector/server/page-files.ts';
import { startChromium } from '../../test/support/chromium.ts';
import { largeRecording } from './large-recording.ts';

/**
 * How smoothly the timeline of 10 000 tasks with five attempts each scrolls, in headless Chromium, and how long it
 * takes to open its recording and to go through its time. Build the page first.
 */
const frames = 240;
const rowsPerFrame = 15;

const directory = await mkdtemp(join(tmpdir(), 'kintsugi-bench-'));
const files = new PageFiles();
const server = createServer(
  nodeHandler({
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      return pathname === '/'
        ? files.page()
        : ((await files.asset(pathname.slice(1))) ?? new Response(null, { status: 404 }));
    },
  }),
);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const recording = join(directory, 'large.jsonl');
await writeFile(recording, largeRecording());
const browser = await startChromium();
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/#timeline`);

const beganMs = performance.now();
await page.locator('input[type=file]').setInputFiles(recording);
await page.locator('.gantt-scroll').waitFor();
const openedMs = performance.now() - beganMs;

/** The time of each frame while rows are scrolled. As text, because a compiled function needs what the page lacks. */
const timesMs = await page.evaluate<number[]>(`new Promise((resolve) => {
  const box = document.querySelector('.gantt-scroll');
  const times = [];
  let before;
  const next = (nowMs) => {
    if (before !== undefined) times.push(nowMs - before);
    before = nowMs;
    box.scrollTop += ${rowsPerFrame * 20};
    if (times.length === ${frames}) resolve(times);
    else requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})`);
const slider = page.getByRole('slider', { name: 'Time' });
const scrubbedMs: number[] = [];
for (const at of ['900', '300', '301', '700', '100']) {
  const startMs = performance.now();
  await slider.fill(at);
  await page.evaluate('new Promise((resolve) => requestAnimationFrame(resolve))');
  scrubbedMs.push(performance.now() - startMs);
}
await browser.close();
server.close();
await rm(directory, { recursive: true, force: true });

const sorted = timesMs.toSorted((a, b) => a - b);
const quantile = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
const mean = timesMs.reduce((sum, time) => sum + time, 0) / timesMs.length;
process.stdout.write(`10 000 tasks × 5 attempts, ${rowsPerFrame} rows per frame, ${frames} frames
  ${(1_000 / mean).toFixed(1)} frames/s; a frame takes ${quantile(0.5)} ms (median), ${quantile(0.95)} ms (95 %), ${quantile(1)} ms (most)
  the recording opens in ${Math.round(openedMs)} ms; a jump in time takes ${scrubbedMs.map(Math.round).join(', ')} ms
`);
