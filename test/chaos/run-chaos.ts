import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { differences } from '../../src/testing/output-differences.ts';
import { type SeededRandom, seededRandom } from '../../src/testing/index.ts';
import { bundledScript } from '../support/bundled-script.ts';
import { chaosJob, writeInput } from './chaos-job.ts';
import { type ChaosPlan, drawChaos, type Kill, versionIn } from './chaos-plan.ts';
import type { ChildReport } from './child.ts';
import { damageFile } from './damage-file.ts';
import { Ledger, type LedgerCounts } from './ledger.ts';
import { fileDifferences, outputIn } from './output-files.ts';

/** Totals over runs with killed processes. */
export interface ChaosSummary {
  readonly passed: number;
  /** Failed runs, with what to do about each. */
  readonly failures: readonly string[];
  readonly kills: number;
  /** Processes that took over finished tasks. */
  readonly resumed: number;
  /** Files that were torn or flipped. */
  readonly damaged: number;
  /** Calls that were started, */
  readonly calls: number;
  /** those among them that an undisturbed job makes, */
  readonly needed: number;
  /** that were in flight when their process was killed, */
  readonly inFlight: number;
  /** and whose answers lay in damaged bytes. */
  readonly lostAnswers: number;
}

type Totals = { -readonly [Name in Exclude<keyof ChaosSummary, 'passed' | 'failures'>]: ChaosSummary[Name] };

/**
 * Runs `count` drawn jobs, from seed `first` on, each in processes that are killed until one finishes it, and compares
 * what is left with the undisturbed job.
 * @param tell gets failed runs, and occasionally the progress
 */
export async function runChaos(first: number, count: number, tell: (line: string) => void): Promise<ChaosSummary> {
  const totals: Totals = { kills: 0, resumed: 0, damaged: 0, calls: 0, needed: 0, inFlight: 0, lostAnswers: 0 };
  const failures: string[] = [];
  const workshop = mkdtempSync(join(tmpdir(), 'chaos-'));
  // What the script imports only when it needs it.
  symlinkSync(resolve('node_modules'), join(workshop, 'node_modules'));
  const script = await bundledScript('chaos/child.ts', workshop);
  for (let seed = first; seed < first + count; seed++) {
    const run = new ChaosRun(seed, mkdtempSync(join(tmpdir(), `chaos-${seed}-`)), script, totals);
    const problems = await run.problems();
    if (problems.length === 0) run.remove();
    else {
      failures.push(
        `seed ${seed} (npm run chaos -- --runs 1 --seed ${seed}; its files are in ${run.directory}):\n` +
          [...problems, ...run.story].map((line) => `  ${line}`).join('\n'),
      );
      tell(failures.at(-1) as string);
    }
    const done = seed - first + 1;
    if (done % 25 === 0) tell(`… ${done} of ${count} runs, ${failures.length} failed`);
  }
  rmSync(workshop, { recursive: true, force: true });
  return { passed: count - failures.length, failures, ...totals };
}

/** How a process ended. */
type ChildEnd = { readonly kind: 'killed' } | ({ readonly kind: 'finished' } & ChildReport);

/** A job whose processes are killed. */
class ChaosRun {
  readonly directory: string;
  /** What happened, for the reader of a failure. */
  readonly story: string[] = [];
  readonly #plan: ChaosPlan;
  readonly #disturbances: ReturnType<typeof drawChaos>['disturbances'];
  readonly #random: SeededRandom;
  readonly #home: string;
  readonly #script: string;
  readonly #totals: Totals;
  #lostAnswers = 0;

  constructor(seed: number, directory: string, script: string, totals: Totals) {
    const { plan, disturbances } = drawChaos(seed);
    this.directory = directory;
    this.#plan = plan;
    this.#disturbances = disturbances;
    this.#random = seededRandom(seed).fork('damage');
    this.#home = join(directory, 'killed');
    this.#script = script;
    this.#totals = totals;
    this.story.push(JSON.stringify(plan));
  }

  /** Runs it until it has finished. What is wrong then; nothing, if all is well. */
  async problems(): Promise<readonly string[]> {
    mkdirSync(this.#home);
    writeInput(this.#plan, this.#home);
    writeFileSync(join(this.#home, 'plan.json'), JSON.stringify(this.#plan));
    try {
      const expected = join(this.directory, 'expected');
      const needed = await this.#undisturbed(expected);
      await this.#disturbed();
      const problems = [
        ...differences(await outputIn(expected), await outputIn(this.#home)),
        ...fileDifferences(this.#plan, expected, this.#home),
        ...this.#callProblems(needed),
      ];
      return problems.length > 0 || !this.#plan.isRunAgain ? problems : await this.#again();
    } catch (error) {
      return [(error as Error).message];
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs the job as it should be. Returns the number of calls. */
  async #undisturbed(home: string): Promise<number> {
    mkdirSync(home);
    writeInput(this.#plan, home);
    let calls = 0;
    const job = chaosJob(this.#plan, home, versionIn(this.#plan), async (_, answer, fails) => {
      if (fails) throw new Error('Busy');
      calls++;
      return answer;
    });
    await job.run({ stateDirectory: join(home, 'state') }).result;
    return calls;
  }

  async #disturbed(): Promise<void> {
    for (const [number, { kill, damage }] of this.#disturbances.entries()) {
      const version = versionIn(this.#plan, number);
      const end = await this.#process(kill, version);
      if (end.kind === 'finished' && version === versionIn(this.#plan)) return;
      if (end.kind === 'finished') break;
      this.#totals.kills++;
      const damaged = damage && damageFile(join(this.#home, 'state'), damage, this.#random);
      if (damaged === undefined) continue;
      this.#totals.damaged++;
      this.#lostAnswers += damaged.lostAnswers;
      this.story.push(damaged.what);
    }
    await this.#process(undefined);
  }

  /** A job that has finished is not run again. */
  async #again(): Promise<readonly string[]> {
    const end = await this.#process(undefined);
    return end.kind === 'finished' && end.calls === 0 ? [] : ['run again after it had finished, it makes calls'];
  }

  /** @param undisturbed calls that the last version of the job makes */
  #callProblems(undisturbed: number): string[] {
    const counts = [...new Ledger(join(this.#home, 'ledger')).read().entries()];
    const sum = (of: (counts: LedgerCounts) => number): number => counts.reduce((total, [, one]) => total + of(one), 0);
    // Errors are not remembered, so calls that fail are made again.
    const calls = sum(({ started, failed }) => started - failed);
    const inFlight = sum(({ started, failed, answered }) => started - failed - answered);
    // Another version may need other calls.
    const needed = this.#plan.change?.place === 'before' ? Math.max(undisturbed, counts.length) : undisturbed;
    this.#totals.calls += calls;
    this.#totals.needed += needed;
    this.#totals.inFlight += inFlight;
    this.#totals.lostAnswers += this.#lostAnswers;
    if (calls <= needed + inFlight + this.#lostAnswers) return [];
    const twice = counts.filter(([, { answered }]) => answered > 1).map(([call]) => call);
    return [
      `${calls} calls for ${needed}, with ${inFlight} in flight at kills and ${this.#lostAnswers} answers damaged; ` +
        `answered more than once: ${twice.join(', ')}`,
    ];
  }

  /** @throws Error if it fails */
  async #process(kill: Kill | undefined, version = versionIn(this.#plan)): Promise<ChildEnd> {
    const args = [this.#script, this.#home, `${version}`, ...(kill === undefined ? [] : [JSON.stringify(kill)])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      if (kill?.at === 'delay' && told === '') setTimeout(() => child.kill('SIGKILL'), kill.ms);
      told += data;
    });
    const [output, status] = await Promise.all([
      text(child.stdout),
      new Promise<string>((resolve) => {
        child.on('close', (code, signal) => resolve(signal ?? `${code}`));
      }),
    ]);
    this.story.push(`process ${child.pid}, ${JSON.stringify(kill) ?? 'not to be killed'}: ${status} ${output}`);
    if (status === 'SIGKILL') return { kind: 'killed' };
    if (status !== '0') throw new Error(`the job failed:\n${told}`);
    const report = JSON.parse(output) as ChildReport;
    if ((report.restored ?? 0) > 0) this.#totals.resumed++;
    return { kind: 'finished', ...report };
  }
}
