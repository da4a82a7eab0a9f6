import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { filter, firstValueFrom } from 'rxjs';
import { forEach, Job, type JobEvent, type JobRun, type JobRunOptions } from '../../../src/index.ts';
import { insideOf } from '../../../src/run/run-inside.ts';
import { chromiumPath, startChromium } from '../../support/chromium.ts';
import { tickingSource } from '../../support/ticking-source.ts';
import { builtPage } from './built-page.ts';
import { type GatedJob, runGatedJob } from './gated-job.ts';
import { type ServedPage, servePage } from './served-page.ts';

const views = ['Graph', 'Timeline', 'Failures', 'Results', 'Checkpoints', 'Executors', 'Statechart', 'Trends'];

/** What the tests use of a browser's globals. */
interface Shown {
  readonly document: { readonly activeElement: { readonly textContent: string } | null };
}

/** What a page asked for and complained about. */
class Watched {
  readonly hosts = new Set<string>();
  readonly complaints: string[] = [];

  constructor(page: Page) {
    page.on('request', (request) => this.hosts.add(new URL(request.url()).hostname));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text());
    });
    page.on('pageerror', ({ message }) => this.complaints.push(message));
  }
}

/** What is wrong with the page for those who cannot see it well, by axe. */
async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: tool } = globalThis as unknown as { axe: typeof axe };
    const { violations } = await tool.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
  });
  return found;
}

if (chromiumPath === undefined) {
  process.stderr.write(
    'The page is not tested in a browser: there is no chromium on the PATH (apt install chromium)\n',
  );
}
const describeInBrowser = chromiumPath === undefined ? describe.skip : describe;

describeInBrowser('the page in Chromium', () => {
  let browser: Browser;
  let directory: string;
  let job: GatedJob;
  let served: ServedPage;
  let page: Page;
  let watched: Watched;

  beforeAll(async () => {
    [browser, directory] = await Promise.all([startChromium(), builtPage()]);
  });
  afterAll(async () => {
    await browser.close();
    await rm(directory, { recursive: true, force: true });
  });

  beforeEach(async () => {
    job = runGatedJob('gold');
    served = await servePage(directory, job.run);
    page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
    watched = new Watched(page);
  });
  afterEach(async () => {
    await page.close();
    job.release();
    // A test may have canceled it.
    await job.run.result.catch(() => undefined);
    await served.close();
  });

  const fact = (name: string) => page.locator(`[data-fact="${name}"]`).innerText();
  const tab = (name: string) => page.locator('.tabs').getByRole('link', { name }).click();

  it('shows a live job, breaks a task of it, watches its region mend, and says what the receipt says', async () => {
    await page.goto(served.url);
    await page.getByRole('heading', { level: 1, name: 'gold' }).waitFor();
    await page.getByRole('button', { name: /^sums ×3 3 running/ }).click();
    await page.getByLabel('subtask').fill('1');
    const preview = page.locator('.restart-summary');
    await preview.getByText('Asked of the running job.').waitFor();
    expect(await preview.innerText()).toContain('4 of 9 tasks would restart');
    expect(await preview.innerText()).toContain('re-uses 3 results of numbers → sums');

    await page.getByRole('button', { name: 'Break it: fail' }).click();
    await page.getByRole('button', { name: 'Fail the task' }).click();
    await page.locator('.status', { hasText: 'mending' }).waitFor();
    await page.locator('.status', { hasText: /^running$/ }).waitFor();
    await tab('Failures');
    await page
      .locator('.failure-list')
      .getByText(/mended in/)
      .waitFor();
    const [failover, ...others] = job.run.receipt().failovers;
    expect(others).toEqual([]);
    expect(failover?.task).toBe('sums[1]');
    expect(await page.locator('.failure h2').innerText()).toContain('sums[1]');
    expect(await fact('tasks-restarted')).toBe(String(failover?.tasksRestarted));
    expect(await fact('results-reused')).toBe(String(failover?.partitionsReused));
    expect(Number.parseFloat(await fact('recovery'))).toBeCloseTo(failover?.recoveryMs ?? 0, -1);

    job.release();
    await page.locator('.status-finished').waitFor();
    expect(await page.locator('.progress').innerText()).toContain('9 of 9 tasks finished');
    expect([...watched.hosts]).toEqual(['127.0.0.1']);
    expect(watched.complaints).toEqual([]);
  });

  describe('steers the run', () => {
    /** Another job than the usual one, with a backoff of its own. */
    const withBackoff = async (delayMs: number, options: JobRunOptions = {}): Promise<void> => {
      job.release();
      await Promise.all([job.run.result, served.close()]);
      job = runGatedJob('gold', delayMs, options);
      served = await servePage(directory, job.run);
    };
    const happens = (matches: (event: JobEvent) => boolean): Promise<JobEvent> =>
      firstValueFrom(job.run.events$.pipe(filter(matches)));
    const open = async (): Promise<void> => {
      await page.goto(served.url);
      await page.getByRole('button', { name: /^sums ×3 3 running/ }).click();
      await page.getByLabel('subtask').fill('1');
    };
    const breaks = async (label: string): Promise<void> => {
      await page.getByRole('button', { name: 'Break it…' }).click();
      await page.getByRole('button', { name: label }).click();
    };
    const says = (text: string) => page.locator('.notice-bar', { hasText: text }).waitFor();

    it('cancels it', async () => {
      await open();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('button', { name: 'Cancel the job' }).click();
      await page.locator('.status-canceled').waitFor();
      expect(job.run.status).toBe('canceled');
    });

    it('restarts a region', async () => {
      await open();
      const decided = happens(({ type }) => type === 'failover.decided');
      await page.getByRole('button', { name: 'Restart region' }).click();
      await page.getByRole('button', { name: 'Restart', exact: true }).click();
      expect(await decided).toMatchObject({ regions: expect.arrayContaining([4]) as number[] });
    });

    it('skips a backoff', async () => {
      await withBackoff(600_000);
      await open();
      const restarted = happens(
        (event) =>
          event.type === 'task.stateChanged' &&
          event.task === 'sums[1]' &&
          event.attempt === 1 &&
          event.state === 'running',
      );
      await page.getByRole('button', { name: 'Break it: fail' }).click();
      await page.getByRole('button', { name: 'Fail the task' }).click();
      await page.getByRole('button', { name: 'Skip the backoff' }).click();
      expect(await restarted).toBeDefined();
      // The regions behind it still wait.
      await job.run.cancel();
    });

    it('loses a result', async () => {
      await open();
      const lost = happens(({ type }) => type === 'partition.lost');
      await tab('Results');
      await page.getByRole('button', { name: 'Lose it' }).first().click();
      await page.getByRole('dialog').getByRole('button', { name: 'Lose it' }).click();
      expect(await lost).toMatchObject({ partition: 'numbers[0]→sums' });
      await page.locator('.state-lost').first().waitFor();
    });

    it('slows a consumer, and lets it go', async () => {
      const slowed = jest.spyOn(insideOf(job.run).controls, 'slowConsumer');
      await open();
      await breaks('Slow the task');
      await says('The task is slowed down');
      await breaks('Full speed again');
      await says('The task runs at full speed');
      expect(slowed.mock.calls).toEqual([
        [4, 20],
        [4, 0],
      ]);
    });

    it('kills and drains executors, and shows them lost, with their replacements, slots and tasks', async () => {
      await withBackoff(200, { executors: 2, slots: 6, heartbeat: { intervalMs: 50 } });
      await open();
      const lost = happens(({ type }) => type === 'executor.lost');
      await breaks('Lose the executor');
      expect(await lost).toMatchObject({ executor: 'local-0' });
      await tab('Executors');
      const present = page.getByRole('region', { name: 'Each executor' }).getByRole('row');
      await present.filter({ hasText: 'local-2' }).filter({ hasText: 'registered' }).waitFor();
      await present
        .filter({ hasText: 'local-1' })
        .getByText(/numbers\[\d\].* of 6|[1-6] of 6/)
        .waitFor();
      await present
        .filter({ hasText: 'local-1' })
        .getByText(/ms ago/)
        .waitFor();
      const killed = happens(({ type }) => type === 'executor.lost');
      await present.filter({ hasText: 'local-1' }).getByRole('button', { name: 'Kill' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Kill it' }).click();
      expect(await killed).toMatchObject({ executor: 'local-1' });
      const gone = page.getByRole('region', { name: 'Executors that are gone' }).getByRole('row');
      await gone
        .filter({ hasText: 'local-1' })
        .getByText(/it was killed on purpose/)
        .waitFor();
      await gone.filter({ hasText: 'local-0' }).waitFor();
      const drains = happens(({ type }) => type === 'executor.draining');
      await present.filter({ hasText: 'local-2' }).getByRole('button', { name: 'Drain' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Drain it' }).click();
      expect(await drains).toMatchObject({ executor: 'local-2' });
      await present.filter({ hasText: 'local-2' }).filter({ hasText: 'draining' }).waitFor();
    });

    it('releases a quarantined region', async () => {
      await withBackoff(200, { quarantine: { afterFailures: 1, withinMs: 60_000 } });
      await open();
      const released = happens(({ type }) => type === 'region.released');
      await page.getByRole('button', { name: 'Break it: fail' }).click();
      await page.getByRole('button', { name: 'Fail the task' }).click();
      await page.locator('.status', { hasText: 'quarantined' }).waitFor();
      await tab('Failures');
      const set = page.getByRole('region', { name: 'Quarantined regions' }).getByRole('row');
      await set.filter({ hasText: 'sums[1]: Failed on purpose' }).getByRole('button', { name: 'Release' }).click();
      expect(await released).toMatchObject({ region: 4 });
      await page.locator('.status', { hasText: /^running$/ }).waitFor();
      await set.first().waitFor({ state: 'detached' });
    });

    it('fills the disk, and frees it', async () => {
      await withBackoff(3_000);
      await open();
      const failed = happens(({ type }) => type === 'task.failed');
      await breaks('Fill the disk');
      await says('The disk is full');
      job.release();
      expect(await failed).toMatchObject({ cause: { message: expect.stringMatching(/no space/) as string } });
      await breaks('Free the disk');
      await page.locator('.status-finished').waitFor();
      expect(job.run.status).toBe('finished');
    });
  });

  describe('shows checkpoints', () => {
    let run: JobRun;
    const checkpointed = async (): Promise<void> => {
      const ticks = Job.create('ticks', { mode: 'streaming', parallelism: 2 });
      ticks
        .source('ticks', tickingSource(Number.MAX_SAFE_INTEGER))
        .keyBy((n) => n % 7)
        .reduce((a, b) => a + b, { uid: 'sums' })
        .sink(
          'result',
          forEach(() => {}),
        );
      // The page lists the latest ones: the one that a test has chosen must stay for a while, on busy machines too.
      run = ticks.run({ checkpoints: { intervalMs: 1_500 } });
      await served.close();
      served = await servePage(directory, run);
      await page.goto(served.url);
      await tab('Checkpoints');
    };
    afterEach(async () => {
      await run.cancel();
    });
    const table = (name: string) => page.getByRole('region', { name, exact: true });

    it('by component, each with its parts by task', async () => {
      await checkpointed();
      await page.getByRole('heading', { name: /^ticks\[0\]: [1-9]\d* completed, 0 failed, 0 restored/ }).waitFor();
      const latest = table('Latest checkpoints of ticks[0]').getByRole('row').filter({ hasText: 'completed' });
      await latest.nth(1).waitFor();
      const number = (await latest.nth(1).getByRole('button').innerText()).trim();
      await latest.getByRole('button', { name: number, exact: true }).click();
      const parts = table(`Checkpoint ${number} by task`);
      for (const task of ['ticks[0]', 'ticks[1]', 'sums[0]', 'sums[1]']) {
        expect(await parts.getByRole('row').filter({ hasText: task }).innerText()).toMatch(/ms\s+[\d.]+ k?B\s+0 B$/);
      }
      const columns = await parts.getByRole('columnheader').allInnerTexts();
      expect(columns).toEqual(['Task', 'Alignment', 'Stood still', 'Wrote for', 'Written', 'Referenced']);
      expect(await accessibilityProblems(page)).toEqual([]);
      expect(watched.complaints).toEqual([]);
    });

    it('takes a savepoint, and stops with one', async () => {
      const home = await mkdtemp(join(tmpdir(), 'savepoints-'));
      try {
        await checkpointed();
        const take = async (name: string, button: string): Promise<void> => {
          await page.getByLabel('New directory').fill(join(home, name));
          await page.getByRole('button', { name: button }).click();
          await page.locator('.notice-bar', { hasText: join(home, name) }).waitFor();
        };
        await take('one', 'Take a savepoint');
        await table('Latest checkpoints of ticks[0]')
          .getByText(/, savepoint$/)
          .first()
          .waitFor();
        expect(run.status).toBe('running');
        const ended = run.result.catch((error: unknown) => error);
        await take('two', 'Stop with a savepoint');
        expect(await ended).toMatchObject({ savepoint: join(home, 'two') });
        for (const name of ['one', 'two']) expect((await readdir(join(home, name))).length).toBeGreaterThan(0);
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    });
  });

  it('goes through the time of a recording, from the server and from a file', async () => {
    await page.goto(served.url);
    await page.getByRole('button', { name: /^sums ×3 3 running/ }).waitFor();
    job.release();
    await page.locator('.status-finished').waitFor();
    await page.getByRole('button', { name: 'Go back in time' }).click();
    const time = page.getByRole('slider', { name: 'Time' });
    await time.fill('0');
    await page.locator('.status', { hasText: /initializing|created|running/ }).waitFor();
    await time.press('End');
    await page.locator('.status-finished').waitFor();

    const recording = await page.evaluate(
      async (address) => {
        const response = await fetch(address);
        return response.text();
      },
      `${served.origin}/api/runs/${await runId()}/recording${new URL(served.url).search}`,
    );
    const file = join(directory, 'run.jsonl');
    await writeFile(file, recording);
    await page.goto(served.origin);
    await page.locator('input[type=file]').setInputFiles(file);
    await page.getByRole('heading', { level: 1, name: 'gold' }).waitFor();
    await page.locator('.status-finished').waitFor();
    for (const view of views) await tab(view);
    expect([...watched.hosts]).toEqual(['127.0.0.1']);
    expect(watched.complaints).toEqual([]);
  });

  it('refuses a file that is no recording, and says why', async () => {
    await page.goto(served.origin);
    const file = join(directory, 'table.jsonl');
    await writeFile(file, 'name,age\n');
    await page.locator('input[type=file]').setInputFiles(file);
    expect(await page.getByRole('alert').innerText()).toContain('table.jsonl: not a recording of kintsugi');
  });

  it('is used without a mouse: tabs, vertices, the timeline', async () => {
    await page.goto(served.url);
    await page.getByRole('button', { name: /^sums ×3/ }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => (globalThis as unknown as Shown).document.activeElement?.textContent)).toBe(
      'Skip to the view',
    );
    await page.getByRole('button', { name: /^sums ×3/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('complementary', { name: 'Details of sums' }).waitFor();
    await page.locator('.tabs').getByRole('link', { name: 'Timeline' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('.gantt-scroll').focus();
    await page.keyboard.press('ArrowDown');
    await page.getByRole('complementary', { name: 'Attempts of numbers[0]' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.getByRole('complementary', { name: 'Attempts of numbers[1]' }).waitFor();
  });

  it.each(['light', 'dark'] as const)(
    'has no problem of accessibility in any view, as a picture or a table: %s',
    async (scheme) => {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      await page.goto(served.url);
      await page.getByRole('button', { name: /^sums ×3 3 running/ }).click();
      const problems: string[] = [];
      for (const view of views) {
        await tab(view);
        problems.push(...(await accessibilityProblems(page)).map((problem) => `${view}: ${problem}`));
        const table = page.getByRole('button', { name: 'Table', exact: true });
        if ((await table.count()) === 0) continue;
        await table.click();
        problems.push(...(await accessibilityProblems(page)).map((problem) => `${view} as a table: ${problem}`));
      }
      expect(problems).toEqual([]);
    },
  );

  /** The id of the run, from the server. */
  async function runId(): Promise<string> {
    const runs = await fetch(`${served.origin}/api/runs${new URL(served.url).search}`);
    return ((await runs.json()) as { run: string }[])[0]?.run ?? '';
  }
});
