import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledCode } from '../support/bundled-script.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-killed-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const count = 300;
const concurrency = 8;

/** A run that notes each call when it begins and when it is answered; told so, it kills itself after so many. */
const code = `
  import { appendFileSync } from 'node:fs';
  import { collect, Job, range } from 'kintsugi';
  const killAfter = Number(process.argv[2]);
  const note = (line) => appendFileSync('ledger', line + '\\n');
  const job = Job.create('paid');
  const out = collect();
  let begun = 0;
  job.source('numbers', range(0, ${count}))
    .mapAsync(async (n) => {
      note('begun ' + n);
      if (++begun === killAfter) process.kill(process.pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 2 + n % 5));
      note('answered ' + n);
      return n * 2;
    }, { uid: 'paid', concurrency: ${concurrency}, version: 1, remember: { directory: 'answers' } })
    .sink('out', out);
  const { receipt } = await job.run().result;
  console.log(JSON.stringify({ calls: receipt.calls, sum: out.records.reduce((a, b) => a + b, 0) }));`;

let script: string;

beforeAll(async () => {
  script = await bundledCode(code, root);
});

function run(killAfter: number): Promise<{ signal: string | null; printed: string }> {
  const child = spawn(process.execPath, [script, `${killAfter}`], { cwd: root, timeout: 60_000 });
  let printed = '';
  child.stdout.on('data', (text) => (printed += String(text)));
  child.stderr.on('data', (text) => (printed += String(text)));
  return new Promise((resolve) => child.on('close', (_, signal) => resolve({ signal, printed })));
}

const ledger = (): string[] => readFileSync(join(root, 'ledger'), 'utf8').trim().split('\n');

it('kill -9 costs the calls that were in flight, and no other; the receipt counts those of the last kill', async () => {
  const kills = [40, 110];
  for (const killAfter of kills) expect((await run(killAfter)).signal).toBe('SIGKILL');
  const before = new Set(ledger());
  const past = ledger().length;
  const last = await run(0);
  const result = JSON.parse(last.printed) as { calls: { made: number; reused: number; again: number }; sum: number };
  expect(result.sum).toBe(count * (count - 1));
  const lines = ledger();
  const begun = lines.filter((line) => line.startsWith('begun'));
  const answered = new Set(lines.filter((line) => line.startsWith('answered')));
  expect(answered.size).toBe(count);
  expect(begun.length).toBeGreaterThan(count);
  // An answer that was noted may not have reached the engine in the same turn: it was in flight too.
  expect(begun.length).toBeLessThanOrEqual(count + kills.length * concurrency);
  expect(result.calls.made + result.calls.reused).toBe(count);
  const twice = lines.slice(past).filter((line) => line.startsWith('begun') && before.has(line)).length;
  expect(twice).toBeGreaterThan(0);
  // A call that was about to begin at the kill is counted too.
  expect(result.calls.again).toBeGreaterThanOrEqual(twice);
  expect(result.calls.again).toBeLessThanOrEqual(kills.length * concurrency);
}, 60_000);
