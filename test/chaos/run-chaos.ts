import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { differences } from '../../src/testing/output-differences.ts';
import { type SeededRandom, seededRandom } from '../../src/testing/index.ts';
import { collect } from '../../src/index.ts';
import { bundledModules } from '../support/bundled-script.ts';
import { chaosJob, type Item, type Service, writeCollected, writeInput } from './chaos-job.ts';
import {
  type Chaos,
  type ChaosPlan,
  type Damage,
  type Disturbance,
  drawChaos,
  drawPlan,
  drawWorkerChaos,
  versionIn,
} from './plans/chaos-plan.ts';
import type { ChildReport, ChildTask } from './child.ts';
import { answersOf, damageFile } from './damage-file.ts';
import { Instants } from './instants.ts';
import { Ledger, type LedgerCounts } from './ledger.ts';
import { fileDifferences, outputIn, spilledIn } from './output-files.ts';
import { drawStreamChaos } from './plans/stream-plan.ts';
import { lossesOf, toldIn } from './told-events.ts';
import type { WorkersPlan } from './plans/worker-plan.ts';

/** Totals over runs with killed processes. */
export interface ChaosSummary {
  readonly passed: number;
  /** Failed runs, with what to do about each. */
  readonly failures: readonly string[];
  readonly kills: number;
  /** Processes that took over finished tasks. */
  readonly resumed: number;
  /** Processes that continued a streaming component from a checkpoint, */
  readonly continued: number;
  /** checkpoints that completed, */
  readonly checkpoints: number;
  /** and regions that continued from one. */
  readonly restored: number;
  /** Files that were torn or flipped. */
  readonly damaged: number;
  /** Deaths that were inflicted on workers, */
  readonly deaths: number;
  /** those whose loss the run noticed before it ended, */
  readonly lost: number;
  /** those that cost a running task, */
  readonly costly: number;
  /** and failures of tasks in other workers that were decided apart from that. */
  readonly readers: number;
  /** Workers that were stopped gracefully and had gone before the run ended. */
  readonly drained: number;
  /** Slow tasks that got a second attempt. */
  readonly speculated: number;
  /** Processes that were stopped and continued. */
  readonly pauses: number;
  /** Jobs that rightly failed because all their checkpoints had been damaged, and began anew. */
  readonly withoutCheckpoint: number;
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

/** What is drawn: processes that are killed, processes whose workers die, or both of long streams with checkpoints. */
export type ChaosKind = 'processes' | 'workers' | 'streams';

const draws: Readonly<Record<ChaosKind, (seed: number) => Chaos>> = {
  processes: drawChaos,
  workers: drawWorkerChaos,
  streams: (seed) => drawStreamChaos(seed, drawPlan),
};

/** The modules of the processes. */
export interface ChaosScripts {
  readonly directory: string;
  readonly child: string;
  readonly module: string;
  readonly entry: string;
}

/** Bundles what the processes run, into a directory that the caller removes. */
export async function chaosScripts(): Promise<ChaosScripts> {
  const directory = mkdtempSync(join(tmpdir(), 'chaos-'));
  // What the script imports only when it needs it.
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  const paths = await bundledModules(['chaos/child.ts', 'chaos/chaos-module.ts'], join(directory, 'modules'));
  const [child, module, entry] = paths as [string, string, string];
  return { directory, child, module, entry: pathToFileURL(entry).href };
}

/**
 * Runs drawn jobs, by their seeds, each in processes that are killed, or whose workers die, until one
 * finishes it, and compares what is left with the undisturbed job.
 * @param scripts by {@link chaosScripts}
 * @param tell gets failed runs, and occasionally the progress
 */
export async function runChaos(
  kind: ChaosKind,
  seeds: readonly number[],
  scripts: ChaosScripts,
  tell: (line: string) => void,
): Promise<ChaosSummary> {
  const totals: Totals = {
    ...{ kills: 0, resumed: 0, continued: 0, checkpoints: 0, restored: 0, damaged: 0, withoutCheckpoint: 0 },
    ...{ deaths: 0, lost: 0, costly: 0, readers: 0, pauses: 0, drained: 0, speculated: 0 },
    ...{ calls: 0, needed: 0, inFlight: 0, lostAnswers: 0 },
  };
  const failures: string[] = [];
  const option = kind === 'processes' ? '' : `--${kind} `;
  for (const [index, seed] of seeds.entries()) {
    const run = new ChaosRun(draws[kind](seed), mkdtempSync(join(tmpdir(), `chaos-${seed}-`)), scripts, totals);
    const problems = await run.problems();
    if (problems.length === 0) run.remove();
    else {
      failures.push(
        `seed ${seed} (npm run chaos -- ${option}--runs 1 --seed ${seed}; its files are in ${run.directory}):\n` +
          [...problems, ...run.story].map((line) => `  ${line}`).join('\n'),
      );
      tell(failures.at(-1) as string);
    }
    const done = index + 1;
    if (done % 25 === 0) tell(`… ${done} of ${seeds.length} runs, ${failures.length} failed`);
  }
  return { passed: seeds.length - failures.length, failures, ...totals };
}

/** How a process ended. */
type ChildEnd = { readonly kind: 'killed' | 'failed' } | ({ readonly kind: 'finished' } & ChildReport);

/** A job whose processes are killed. */
class ChaosRun {
  readonly directory: string;
  /** What happened, for the reader of a failure. */
  readonly story: string[] = [];
  readonly #plan: ChaosPlan;
  readonly #disturbances: readonly Disturbance[];
  readonly #random: SeededRandom;
  readonly #home: string;
  readonly #scripts: ChaosScripts;
  readonly #totals: Totals;
  readonly #problems: string[] = [];
  #lostAnswers = 0;
  /** Answers that were given, but not written when their process died. */
  #unwritten = 0;
  /** The kinds of files that have been damaged. */
  readonly #damaged = new Set<Damage['of']>();
  #processes = 0;

  constructor({ plan, disturbances }: Chaos, directory: string, scripts: ChaosScripts, totals: Totals) {
    this.directory = directory;
    this.#plan = plan;
    this.#disturbances = disturbances;
    this.#random = seededRandom(plan.seed).fork('damage');
    this.#home = join(directory, 'killed');
    this.#scripts = scripts;
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
        ...this.#problems,
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
    const service: Service = async (_, answer, fails) => {
      if (fails) throw new Error('Busy');
      calls++;
      return answer;
    };
    const collected = collect<Item>();
    const job = chaosJob(this.#plan, home, versionIn(this.#plan), { service, collected, isPaced: false });
    await job.run({ stateDirectory: join(home, 'state') }).result;
    writeCollected(this.#plan, home, collected);
    return calls;
  }

  async #disturbed(): Promise<void> {
    for (const [number, disturbance] of this.#disturbances.entries()) {
      const version = versionIn(this.#plan, number);
      const end = await this.#process(disturbance, version);
      if (end.kind === 'finished' && version === versionIn(this.#plan)) return;
      if (end.kind === 'finished') break;
      if (end.kind === 'killed') this.#totals.kills++;
      const { damage } = disturbance;
      if (damage === undefined) continue;
      const damaged = damageFile(join(this.#home, 'state'), damage, this.#random);
      if (damaged === undefined) continue;
      this.#damaged.add(damage.of);
      this.#totals.damaged++;
      this.#lostAnswers += damaged.lostAnswers;
      this.story.push(damaged.what);
    }
    let end = await this.#process();
    // Without checkpoints it began anew only after that.
    if (end.kind === 'failed') end = await this.#process();
    if (end.kind === 'failed') this.#problems.push('it fails again, although no checkpoint is left');
  }

  /** A job that has finished is not run again. */
  async #again(): Promise<readonly string[]> {
    const end = await this.#process();
    return end.kind === 'finished' && end.calls === 0 ? [] : ['run again after it had finished, it makes calls'];
  }

  /** @param undisturbed calls that the last version of the job makes */
  #callProblems(undisturbed: number): string[] {
    const counts = [...new Ledger(join(this.#home, 'ledger')).read().entries()];
    const sum = (of: (counts: LedgerCounts) => number): number => counts.reduce((total, [, one]) => total + of(one), 0);
    // Errors are not remembered, so calls that fail are made again.
    const calls = sum(({ started, failed }) => started - failed);
    const inFlight = sum(({ started, failed, answered }) => started - failed - answered) + this.#unwritten;
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
  async #process(disturbance: Disturbance = undisturbed, version = versionIn(this.#plan)): Promise<ChildEnd> {
    const marks = join(this.directory, `process-${this.#processes++}`);
    const { child, module, entry } = this.#scripts;
    const task: ChildTask = { home: this.#home, marks, version, disturbance, module, entry };
    const ledger = new Ledger(join(this.#home, 'ledger'));
    const [size, remembered] = [ledger.size, answersOf(join(this.#home, 'state'))];
    const { status, output, told } = await this.#child([child, JSON.stringify(task)], disturbance);
    this.story.push(`${JSON.stringify(disturbance)}: ${status} ${output}`);
    const hasEnded = status === '0';
    this.#countLosses(marks, hasEnded);
    if (this.#damaged.has('checkpoints') && status === '1' && told.includes("code: 'NO_CHECKPOINT_LEFT'")) {
      this.#totals.withoutCheckpoint++;
      return { kind: 'failed' };
    }
    if (!hasEnded && !killers.has(status)) throw new Error(`the job failed: ${status}\n${told}`);
    if (!hasEnded) {
      const given = [...ledger.read(size).values()].filter(({ answered }) => answered > 0).length;
      this.#unwritten += Math.max(0, given - (answersOf(join(this.#home, 'state')) - remembered));
      return { kind: 'killed' };
    }
    if (disturbance.workers !== undefined) this.#problems.push(...spilledIn(join(this.#home, 'spilled')));
    const report = JSON.parse(output) as ChildReport;
    if ((report.restored ?? 0) > 0) this.#totals.resumed++;
    return { kind: 'finished', ...report };
  }

  /** Runs a process until it has ended. */
  async #child(
    args: readonly string[],
    { kill, workers }: Disturbance,
  ): Promise<{ readonly status: string; readonly output: string; readonly told: string }> {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      if (told === '' && workers?.pause !== undefined) this.#pause(child, workers.pause);
      const wasArmed = told.includes('armed');
      told += data;
      if (kill?.at === 'delay' && !wasArmed && told.includes('armed')) setTimeout(() => child.kill('SIGKILL'), kill.ms);
    });
    let isHanging = false;
    const hangs = setTimeout(() => {
      isHanging = true;
      child.kill('SIGKILL');
    }, longestMs);
    const [output, status] = await Promise.all([
      text(child.stdout),
      new Promise<string>((resolve) => {
        child.on('close', (code, signal) => resolve(signal ?? `${code}`));
      }),
    ]);
    clearTimeout(hangs);
    return { status: isHanging ? `it did not end within ${longestMs} ms` : status, output, told };
  }

  #pause(child: ChildProcess, { afterMs, forMs }: NonNullable<WorkersPlan['pause']>): void {
    setTimeout(() => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      this.#totals.pauses++;
      child.kill('SIGSTOP');
      setTimeout(() => child.kill('SIGCONT'), forMs);
    }, afterMs);
  }

  #countLosses(marks: string, hasEnded: boolean): void {
    const told = toldIn(marks);
    const { inflicted, noticed, costly, readers, problems } = lossesOf(told, new Instants(marks).claimed, {
      hasEnded,
      damaged: this.#damaged,
    });
    this.#totals.deaths += inflicted;
    this.#totals.lost += noticed;
    this.#totals.costly += costly;
    this.#totals.readers += readers;
    this.#totals.drained += told.filter(({ type }) => type === 'drained').length;
    this.#totals.speculated += told.filter(({ type }) => type === 'speculated').length;
    this.#totals.checkpoints += told.filter(({ type }) => type === 'checkpointed').length;
    this.#totals.restored += told.filter(({ type }) => type === 'restored').length;
    if (told.some((one) => one.type === 'continued' && one.components > 0)) this.#totals.continued++;
    this.#problems.push(...problems);
    for (const one of told) if (one.type !== 'decided') this.story.push(`  ${JSON.stringify(one)}`);
  }
}

const undisturbed: Disturbance = { kill: undefined, damage: undefined, workers: undefined };

/** After which a process counts as hanging, its pauses included. */
const longestMs = 120_000;

/** Signals that end a process on purpose. */
const killers = new Set(['SIGKILL', 'SIGABRT']);
