import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Bench, type BenchOptions, type BenchRow, reading } from './harness.ts';

const root = join(import.meta.dirname, '..');
const built = JSON.stringify(join(root, 'dist', 'index.js'));

const job = `
import { forEach, fromArray, Job } from ${built};
const job = Job.create('words');
let atFirst;
const seen = forEach(() => (atFirst ??= process.cpuUsage()));
job.source('words', fromArray(['gold', 'dust', 'lacquer'])).map((word) => word.length).sink('lengths', seen);
await job.run().result;
console.log(atFirst.user + atFirst.system);
`;
const peers = `
import 'xstate';
import 'rxjs';
const { user, system } = process.cpuUsage();
console.log(user + system);
`;

/** CPU time in ms of a process of its own, from its start to what the program prints. */
function processTime(program: string): number {
  const args = ['--input-type=module', '--eval', program];
  return Number(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })) / 1_000;
}

function run({ effort }: BenchOptions): BenchRow[] {
  execFileSync('npm', ['run', '--silent', 'build:doors'], { cwd: root, shell: process.platform === 'win32' });
  const [whole, imports]: [number[], number[]] = [[], []];
  for (let round = 0; round < Math.max(3, Math.round(15 * effort)); round++) {
    whole.push(processTime(job));
    imports.push(processTime(peers));
  }
  return [
    reading('a built job from the start of its process to the first record', 'ms', whole, { atMost: 300 }),
    reading('a process that only imports xstate and rxjs', 'ms', imports),
  ];
}

/** How long a user waits for the first record: CPU time of a whole process, Node itself included. */
export const benches: readonly Bench[] = [{ name: 'process start', run }];
