import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'kintsugi/inspect';
import type { Page } from 'playwright-core';
import { startChromium } from '../../test/support/chromium.ts';
import { runReviews } from './reviews-job.ts';

/** Takes the pictures of `docs/inspector/`: each view of a live job, light and dark. Build the page first. */
const directory = join(import.meta.dirname, '..', '..', 'docs', 'inspector');

/** What is done in a view before its picture is taken. */
const prepared: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  graph: async (page) => {
    await page.getByRole('button', { name: /^stars/ }).click();
    await page.getByLabel('subtask').fill('3');
    await page.getByText('Asked of the running job.').waitFor();
  },
  timeline: (page) => page.getByRole('button', { name: 'Close' }).click(),
  failures: (page) => page.locator('.failure-list button').last().click(),
  results: (page) => page.getByRole('button', { name: 'reviews → stars' }).click(),
  statechart: async (page) => {
    await page.getByLabel('Kind of actor').selectOption('region');
    await page.getByRole('button', { name: 'region/9', exact: true }).click();
    await setTimeout(500);
    await restart(page, 9);
    await page
      .getByRole('button', { name: 'Restart for the picture' })
      .waitFor({ timeout: 1 })
      .catch(() => undefined);
  },
  trends: () => setTimeout(300),
};

/** Restarts a region, so that the actor that is shown receives events. */
async function restart(page: Page, region: number): Promise<void> {
  const url = new URL(page.url());
  const call = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${url.origin}/api/runs${path}${url.search}`, init);
  const [{ run: id }] = (await (await call('')).json()) as [{ run: string }];
  const body = JSON.stringify({ region });
  await call(`/${id}/actions/restart-region`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  await setTimeout(1_000);
}

const { run, release } = runReviews();
await using inspection = await inspect(run);
const browser = await startChromium();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(inspection.url);
await mkdir(directory, { recursive: true });

// Three failures, each mended, and the tasks wait at the end of their input.
while (run.receipt().failovers.filter(({ recoveryMs }) => recoveryMs !== undefined).length < 3) await setTimeout(100);
await setTimeout(3_000);
for (const [view, prepare] of Object.entries(prepared)) {
  await page.locator('.tabs').getByRole('link', { name: view, exact: false }).click();
  await prepare(page);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await setTimeout(300);
    await page.screenshot({ path: join(directory, `${view}-${colorScheme}.png`) });
  }
}
await browser.close();
release();
await run.result;
