import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, fixedDelay, fromArray, Job, range } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { bundledCode } from '../support/bundled-script.ts';
import { inOneDataPlane } from '../support/run-story.ts';

/** The maximum number of calls in any interval of `perMs`. */
function mostWithin(callsMs: readonly number[], perMs: number): number {
  return Math.max(...callsMs.map((fromMs) => callsMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + perMs).length));
}

describe('limits on calls to the outside world', () => {
  it('one limit holds for all subtasks and attempts of an operator', async () => {
    const environment = virtualEnvironment();
    const callsMs: number[] = [];
    let failures = 3;
    const job = Job.create('limited', { parallelism: 4 });
    const out = collect<number>();
    job
      .source('numbers', range(0, 60))
      .mapAsync(
        async (n) => {
          callsMs.push(environment.clock.now());
          return n;
        },
        { uid: 'paid', rateLimit: { calls: 5, perMs: 1_000 } },
      )
      .map((n) => {
        if (n % 20 === 7 && failures-- > 0) throw new Error('broke');
        return n;
      })
      .sink('out', out);
    const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 10 }) });
    await environment.drive(run.result);
    expect(out.records.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n));
    expect(callsMs.length).toBeGreaterThan(60);
    expect(mostWithin(callsMs, 1_000)).toBe(5);
  });

  it('calls per key are limited over all subtasks, and keys do not wait for each other', async () => {
    const environment = virtualEnvironment();
    const [now, most] = [new Map<string, number>(), new Map<string, number>()];
    const job = Job.create('tenants', { parallelism: 3 });
    const out = collect<{ id: number; tenant: string }>();
    const rows = Array.from({ length: 60 }, (_, id) => ({ id, tenant: id % 4 === 0 ? 'small' : 'large' }));
    job
      .source('rows', fromArray(rows))
      .mapAsync(
        async (row) => {
          now.set(row.tenant, (now.get(row.tenant) ?? 0) + 1);
          most.set(row.tenant, Math.max(most.get(row.tenant) ?? 0, now.get(row.tenant) ?? 0));
          await new Promise<void>((resolve) => environment.clock.setTimeout(resolve, 10));
          now.set(row.tenant, (now.get(row.tenant) ?? 0) - 1);
          return row;
        },
        { concurrencyPerKey: { key: ({ tenant }) => tenant, limit: 2 } },
      )
      .sink('out', out);
    await environment.drive(job.run({ environment }).result);
    expect(out.records).toHaveLength(60);
    expect(Object.fromEntries(most)).toEqual({ small: 2, large: 2 });
    expect(environment.clock.now()).toBeLessThan(45 * 10);
  });

  it('after keyBy a number is enough: calls of a key one after the other, in order', async () => {
    const environment = virtualEnvironment();
    const begun: string[] = [];
    const job = Job.create('keyed', { parallelism: 2 });
    const words = ['a1', 'b1', 'a2', 'a3', 'b2', 'a4'];
    job
      .source('words', fromArray(words), { parallelism: 1 })
      .keyBy((word) => word.charAt(0))
      .mapAsync(
        async (word) => {
          begun.push(word);
          await new Promise<void>((resolve) => environment.clock.setTimeout(resolve, 50 - begun.length));
          begun.push(`${word} done`);
          return word;
        },
        { concurrencyPerKey: 1 },
      )
      .sink('out', collect<string>());
    await environment.drive(job.run({ environment }).result);
    for (const key of ['a', 'b']) {
      const expected = words.filter((word) => word.startsWith(key)).flatMap((word) => [word, `${word} done`]);
      expect(begun.filter((word) => word.startsWith(key))).toEqual(expected);
    }
  });

  inOneDataPlane('it is a process of its own', () => {
    it('an answer that came in time is not paid again because our thread was busy', async () => {
      const script = `
        import { collect, fromArray, Job } from 'kintsugi';
        import { Worker } from 'node:worker_threads';
        const worker = new Worker(\`
          import { createServer } from 'node:http';
          import { parentPort } from 'node:worker_threads';
          let calls = 0;
          const server = createServer((_, answer) => { calls++; setTimeout(() => answer.end('ok'), 20); });
          server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
          parentPort.on('message', () => parentPort.postMessage(calls));
        \`, { eval: true, execArgv: ['--input-type=module'] });
        const heard = () => new Promise((resolve) => worker.once('message', resolve));
        const port = await heard();
        const busy = (ms) => { const until = performance.now() + ms; while (performance.now() < until); };
        const job = Job.create('busy');
        const out = collect();
        job.source('numbers', fromArray(Array.from({ length: 8 }, (_, n) => n)))
          .mapAsync(async (n) => { await (await fetch('http://127.0.0.1:' + port)).text(); return n; },
            { concurrency: 4, timeoutMs: 100, retries: 5, retryDelayMs: () => 1 })
          .map((n) => { busy(25); return n; })
          .sink('out', out);
        const ticking = setInterval(() => busy(150), 10);
        await job.run().result;
        clearInterval(ticking);
        worker.postMessage('calls');
        console.log(JSON.stringify([out.records.length, await heard()]));
        process.exit(0);`;
      const directory = mkdtempSync(join(tmpdir(), 'paid-calls-'));
      const printed = execFileSync(process.execPath, [await bundledCode(script, directory)], { timeout: 60_000 });
      rmSync(directory, { recursive: true, force: true });
      expect(JSON.parse(printed.toString())).toEqual([8, 8]);
    });
  });
});
