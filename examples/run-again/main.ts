import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CallCounts } from 'kintsugi';
import { type Places, scoreOf, texts } from './paid-job.ts';

const directory = join('out', 'run-again');
const places: Places = {
  state: join(directory, 'state'),
  output: join(directory, 'scores.jsonl'),
  ledger: join(directory, 'ledger.txt'),
};

async function main(): Promise<void> {
  const total = texts.length.toLocaleString('en');
  console.log(`${total} texts, one paid call each. The process is killed half-way (SIGKILL):`);
  rmSync(directory, { recursive: true, force: true });
  const first = start();
  const signal = await killedAt(first, texts.length / 2);
  const { begun, passedOn } = ledger();
  console.log(`  job.run({ stateDirectory })   ${begun} calls begun, ${passedOn} answers passed on; ${signal}`);
  console.log('  job.run({ stateDirectory })   again, in another process');
  const second = start();
  let again = 0;
  second.on('message', (calls: CallCounts) => {
    again = calls.again;
  });
  const [code] = (await once(second, 'exit')) as [number | null];
  const { begun: paid } = ledger();
  // No call is paid twice whose answer was passed on. Some others had been saved, and were about to be.
  const twice = paid - texts.length;
  const open = begun - passedOn;
  const saved = open > twice ? ` (${open} had begun; the answers of the others were saved)` : '';
  const isRight = code === 0 && output() === plainLoop();
  console.log(`${total} texts, ${total} + ${twice} calls paid, ${again} in flight at the kill${saved}`);
  console.log(isRight ? 'Equal to a plain loop, line for line.\n' : 'NOT EQUAL to a plain loop.\n');
  if (!isRight || twice > again || twice > open || signal !== 'SIGKILL') process.exitCode = 1;
}

/** Starts the job in a process of its own. */
function start(): ChildProcess {
  return fork(join(import.meta.dirname, 'child.ts'), [JSON.stringify(places)]);
}

/** Kills a process when so many calls have begun. Settles with the signal that ended it. */
async function killedAt(child: ChildProcess, calls: number): Promise<string> {
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const watch = setInterval(() => {
    if (ledger().begun >= calls) child.kill('SIGKILL');
  }, 3);
  const [code, signal] = await ended;
  clearInterval(watch);
  return signal ?? `it ended with ${code}`;
}

/** How many calls have begun so far, and how many of their answers went on to the next step. */
function ledger(): { readonly begun: number; readonly passedOn: number } {
  if (!existsSync(places.ledger)) return { begun: 0, passedOn: 0 };
  const lines = readFileSync(places.ledger, 'utf8').trimEnd().split('\n');
  const begun = lines.filter((line) => line.startsWith('begin')).length;
  return { begun, passedOn: lines.length - begun };
}

/** The lines that are expected, sorted. */
function plainLoop(): string {
  const scores = new Map<string, number>();
  for (const { id, topic } of texts) scores.set(topic, (scores.get(topic) ?? 0) + scoreOf(id));
  return [...scores]
    .map(([topic, score]) => JSON.stringify({ topic, score }))
    .sort()
    .join('\n');
}

/** The lines of all part files, sorted. */
function output(): string {
  const parts = readdirSync(directory).filter((name) => name.startsWith('scores'));
  return parts
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
    .sort()
    .join('\n');
}

await main();
