import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledCode } from '../support/bundled-script.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-stopped-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const count = 120;
const concurrency = 8;

/**
 * A run that a signal of the system ends: SIGTERM by its option `signal`, SIGINT by `stop`. It notes each call. Told so, it sends
 * itself the signal after so many.
 */
const code = `
  import { appendFileSync } from 'node:fs';
  import { Job, range, toJsonLinesFile } from 'kintsugi';
  const [signalName, stopAfter] = process.argv.slice(2);
  const note = (line) => appendFileSync(signalName + '.ledger', line + '\\n');
  const controller = new AbortController();
  const stop = (reason) => signalName === 'SIGINT' ? run.stop(reason) : controller.abort(reason);
  process.once(signalName, () => stop(new Error(signalName)));
  let begun = 0;
  const job = Job.create('paid');
  job.source('numbers', range(0, ${count}))
    .mapAsync(async (n, { signal }) => {
      note('begun ' + n);
      if (++begun === Number(stopAfter)) process.kill(process.pid, signalName);
      await new Promise((resolve) => setTimeout(resolve, 20 + n % 5));
      note(signal.aborted ? 'aborted ' + n : 'answered ' + n);
      return n * 2;
    }, { uid: 'paid', concurrency: ${concurrency}, version: 1 })
    .sink('out', toJsonLinesFile(signalName + '.jsonl'));
  const run = job.run({ stateDirectory: signalName + '.state', signal: controller.signal });
  try {
    const { receipt } = await run.result;
    console.log(JSON.stringify({ calls: receipt.calls }));
  } catch (error) {
    console.log(JSON.stringify({ code: error.code, reason: error.cause?.message }));
  }`;

let script: string;

beforeAll(async () => {
  script = await bundledCode(code, root);
});

function run(signal: string, stopAfter = 0): Promise<{ code: number | null; printed: string }> {
  const child = spawn(process.execPath, [script, signal, `${stopAfter}`], { cwd: root, timeout: 60_000 });
  let printed = '';
  child.stdout.on('data', (text) => (printed += String(text)));
  child.stderr.on('data', (text) => (printed += String(text)));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, printed })));
}

const linesOf = (name: string): string[] => readFileSync(join(root, name), 'utf8').trim().split('\n');

it.each(['SIGTERM', 'SIGINT'])(
  '%s ends the run behind its calls in flight; the next one pays for no call twice',
  async (signal) => {
    for (const stopAfter of [20, 30]) {
      const stopped = await run(signal, stopAfter);
      expect(stopped).toMatchObject({ code: 0, printed: expect.stringContaining('"code":"JOB_CANCELED"') });
      expect(stopped.printed).toContain(`"reason":"${signal}"`);
    }
    const last = await run(signal);
    const ledger = linesOf(`${signal}.ledger`);
    const begun = ledger.filter((line) => line.startsWith('begun'));
    expect(begun).toHaveLength(count);
    expect(new Set(begun).size).toBe(count);
    expect(ledger.filter((line) => line.startsWith('answered'))).toHaveLength(count);
    const { made, reused } = (JSON.parse(last.printed) as { calls: { made: number; reused: number } }).calls;
    expect({ made, reused }).toMatchObject({ made: expect.any(Number), reused: count - made });
    expect(reused).toBeGreaterThanOrEqual(50);
    expect(linesOf(`${signal}.jsonl`).map(Number)).toEqual(Array.from({ length: count }, (_, n) => n * 2));
  },
  60_000,
);
