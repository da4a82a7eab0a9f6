import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'kintsugi/inspect';
import type { Page } from 'playwright-core';
import { startChromium } from '../../test/support/chromium.ts';
import { runReviews } from './reviews-job.ts';

/** Takes the pictures of `docs/inspector/`: each view of a live job, light and dark. Build the page first. */
const directory = join(import.meta.dirname, '..', '..', 'docs', 'inspector');

/** A picture: the view that it shows, and what is done there before it is taken. */
interface Shot {
  readonly name: string;
  readonly view?: string;
  readonly prepare: (page: Page) => Promise<unknown>;
}

const shots: readonly Shot[] = [
  {
    name: 'graph',
    prepare: async (page) => {
      await page.getByRole('button', { name: /^stars/ }).click();
      await page.getByLabel('subtask').fill('3');
      await page.getByText('Asked of the running job.').waitFor();
    },
  },
  { name: 'timeline', prepare: (page) => page.getByRole('button', { name: 'Close' }).click() },
  { name: 'failures', prepare: (page) => page.locator('.failure-list button').last().click() },
  { name: 'results', prepare: (page) => page.getByRole('button', { name: 'reviews → stars' }).click() },
  { name: 'checkpoints', prepare: () => setTimeout(1_000) },
  {
    name: 'statechart',
    prepare: async (page) => {
      await page.getByLabel('Kind of actor').selectOption('region');
      await page.getByRole('button', { name: 'region/9', exact: true }).click();
      await setTimeout(500);
      // So that the actor that is shown receives events.
      await act(page, 'restart-region', { region: 9 });
    },
  },
  { name: 'trends', prepare: () => setTimeout(300) },
  // Last, because they break more.
  {
    name: 'executors',
    prepare: async (page) => {
      await act(page, 'lose-executor', { executor: 'local-1' });
      await page.getByRole('region', { name: 'Executors that are gone' }).waitFor();
      await setTimeout(3_000);
    },
  },
  {
    name: 'quarantine',
    view: 'failures',
    prepare: async (page) => {
      for (let failures = 0; failures < 3; failures++) {
        await act(page, 'fail-task', { task: 'stars[2]', message: 'the index is damaged' });
      }
      await page.getByRole('region', { name: 'Quarantined regions' }).waitFor();
      await page.locator('.failure-list button').first().click();
    },
  },
];

/** Does what a button of the page does, and waits until its effects are over. */
async function act(page: Page, action: string, body: Readonly<Record<string, unknown>>): Promise<void> {
  const url = new URL(page.url());
  const call = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${url.origin}/api/runs${path}${url.search}`, init);
  const [{ run: id }] = (await (await call('')).json()) as [{ run: string }];
  const answer = await call(`/${id}/actions/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  await setTimeout(1_500);
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
for (const { name, view = name, prepare } of shots) {
  await page.locator('.tabs').getByRole('link', { name: view, exact: false }).click();
  await prepare(page);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await setTimeout(300);
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`) });
  }
}
await browser.close();
release();
// A region is in quarantine: the job ends without it.
await run.result.catch(() => undefined);
