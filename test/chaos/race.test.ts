import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { bundledScript } from '../support/bundled-script.ts';
import { draws } from '../support/draws.ts';

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly owner: { readonly pid: number };
}

interface Racer {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: Interface;
}

let home: string;
let script: string;
let racers: Racer[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'race-'));
  script = await bundledScript('chaos/race-child.ts', home);
});
afterEach(killAll);
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function killAll(): Promise<void> {
  const closed = racers.flatMap(({ child }) => (child.exitCode === null ? [once(child, 'close')] : []));
  for (const { child } of racers) child.kill('SIGKILL');
  racers = [];
  await Promise.all(closed);
}

/** What a process tells next. */
async function told({ lines }: Racer): Promise<string> {
  const [line] = (await once(lines, 'line')) as [string];
  return line;
}

/** Processes that begin at the same instant, and what each tells. */
async function race(count: number): Promise<readonly string[]> {
  racers = Array.from({ length: count }, () => {
    const child = spawn(process.execPath, [script, join(home, 'state')], { stdio: ['pipe', 'pipe', 'inherit'] });
    return { child, lines: createInterface(child.stdout) };
  });
  await Promise.all(racers.map(told));
  const answers = racers.map(told);
  for (const { child } of racers) child.stdin.write('go');
  return Promise.all(answers);
}

it('SD1: of processes that race for one directory, one gets it, also from a dead one; the others hear who has it', async () => {
  for (let round = 0; round < draws(2, 4); round++) {
    const answers = await race(4);
    expect(answers.filter((answer) => answer === 'owner')).toHaveLength(1);
    const refused = answers.filter((answer) => answer !== 'owner').map((answer) => JSON.parse(answer) as Refusal);
    // One that is about to get it counts as its owner.
    const pids = racers.map(({ child }) => child.pid);
    for (const { code, owner, message } of refused) {
      expect({ code, message }).toMatchObject({ code: 'STATE_DIRECTORY_IN_USE' });
      expect(pids).toContain(owner.pid);
      expect(owner).toMatchObject({
        host: hostname(),
        isHere: false,
        job: 'held',
        since: expect.any(String) as string,
      });
    }
    await killAll();
  }
});
