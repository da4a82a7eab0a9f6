import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  collect,
  type ExchangeName,
  type FailoverRule,
  fixedDelay,
  fromArray,
  Job,
  restartAll,
  restartIndividual,
  restartPipelinedRegion,
  systemEnvironment,
} from 'kintsugi';
import { faultPlan } from 'kintsugi/testing';
import { inspected } from '../inspected.ts';

const documents = Array.from({ length: 20_000 }, (_, id) => ({ id, topic: `topic-${id % 12}` }));

/** Stands for an API that charges per call. */
class MeteredApi {
  calls = 0;

  async score(id: number): Promise<number> {
    this.calls++;
    await new Promise((resolve) => setImmediate(resolve));
    return (id * 7_919) % 101;
  }
}

interface Outcome {
  readonly calls: number;
  readonly reRun: string;
  readonly isRight: boolean;
}

/**
 * Which task is killed half-way, and whether the paid step is declared deterministic: the same question always gets
 * the same answer.
 */
interface Story {
  readonly killed?: 'by-topic' | 'documents';
  readonly deterministic?: boolean;
  /** Whether its answers are remembered. */
  readonly remember?: boolean;
}

/** Remembered answers, deleted with the process. */
const directory = mkdtempSync(join(tmpdir(), 'kintsugi-paid-calls-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
let runs = 0;

//  documents ──▶ score (paid) ─exchange─▶ by-topic ──▶ out       subtask 0 of one of them is killed after half of its records
async function run(
  exchange: ExchangeName,
  failoverStrategy: FailoverRule,
  { killed = 'by-topic', deterministic = false, remember = false }: Story = {},
): Promise<Outcome> {
  const api = new MeteredApi();
  const scores = collect<{ topic: string; score: number }>();
  const job = Job.create('paid calls', { parallelism: 2 });
  job
    .source('documents', fromArray(documents))
    .mapAsync(async ({ id, topic }) => ({ topic, score: await api.score(id) }), {
      uid: 'score',
      concurrency: 64,
      deterministic,
      remember: remember && { directory: join(directory, String(runs++)) },
    })
    .keyBy(({ topic }) => topic, { exchange })
    .reduce((a, b) => ({ topic: a.topic, score: a.score + b.score }), { uid: 'by-topic', emit: 'final' })
    .sink('out', scores);
  const faults = faultPlan();
  faults.fail('task.batch', {
    when: ({ vertex, subtask, records }) =>
      vertex === killed && subtask === 0 && Number(records) >= documents.length / 4,
  });
  const running = job.run({
    failoverStrategy,
    restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 0 }),
    environment: systemEnvironment({ faults, freezeRecords: false }),
  });
  const { receipt } = await (await inspected(running)).result;
  const total = scores.records.reduce((sum, { score }) => sum + score, 0);
  const expected = documents.reduce((sum, { id }) => sum + ((id * 7_919) % 101), 0);
  return {
    calls: api.calls,
    reRun: `${receipt.tasks.reRun} of ${receipt.tasks.total}`,
    isRight: total === expected && faults.unfired().length === 0,
  };
}

const strategies: readonly (readonly [string, FailoverRule])[] = [
  ['restartPipelinedRegion', restartPipelinedRegion()],
  ['restartIndividual', restartIndividual()],
  ['restartAll', restartAll()],
];

const exchanges: readonly ExchangeName[] = ['reliable', 'memory', 'blocking', 'pipelined'];

const cells = (...row: readonly string[]): string => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
const widths = [9, 22, 13, 12, 10, 10];

async function tell(exchange: ExchangeName, name: string, strategy: FailoverRule, story: Story): Promise<void> {
  const { calls, reRun, isRight } = await run(exchange, strategy, story);
  const claimed = story.remember === true ? 'remember' : story.deterministic === true ? 'deterministic' : '';
  const [paid, twice] = [String(calls).padStart(10), String(calls - documents.length).padStart(10)];
  console.log(cells(exchange, name, claimed, reRun, paid, twice, isRight ? 'right' : 'WRONG'));
  if (!isRight) process.exitCode = 1;
}

function head(title: string): void {
  console.log(`\n${title}\n`);
  console.log(cells('exchange', 'strategy', 'paid step', 'tasks re-run', 'calls paid', 'paid twice', 'result'));
  console.log(cells(...[...widths, 6].map((width) => '─'.repeat(width))));
}

head(`${documents.length.toLocaleString('en')} documents, one paid call each. The step after it is killed half-way:`);
for (const exchange of exchanges) {
  for (const [name, strategy] of strategies) await tell(exchange, name, strategy, {});
}

head('The paid step itself is killed half-way, and remembers its answers:');
for (const exchange of exchanges) {
  for (const [name, strategy] of strategies)
    await tell(exchange, name, strategy, { killed: 'documents', remember: true });
}

head('Without that, answers are paid again. If the step is declared deterministic, its consumers keep running:');
for (const deterministic of [true, false]) {
  for (const [name, strategy] of strategies) {
    await tell('reliable', name, strategy, { killed: 'documents', deterministic });
  }
}
