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

const documents = Array.from({ length: 20_000 }, (_, id) => ({ id, topic: `topic-${id % 12}` }));

/** Stands for an API that is paid by the call. */
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

//  documents ──▶ score (paid) ─exchange─▶ by-topic ──▶ out       by-topic[0] is killed when it has read half of its records
async function run(exchange: ExchangeName, failoverStrategy: FailoverRule): Promise<Outcome> {
  const api = new MeteredApi();
  const scores = collect<{ topic: string; score: number }>();
  const job = Job.create('paid calls', { parallelism: 2 });
  job
    .source('documents', fromArray(documents))
    .mapAsync(async ({ id, topic }) => ({ topic, score: await api.score(id) }), { uid: 'score', concurrency: 64 })
    .keyBy(({ topic }) => topic, { exchange })
    .reduce((a, b) => ({ topic: a.topic, score: a.score + b.score }), { uid: 'by-topic', emit: 'final' })
    .sink('out', scores);
  const faults = faultPlan();
  faults.fail('task.batch', {
    when: ({ vertex, subtask, records }) =>
      vertex === 'by-topic' && subtask === 0 && Number(records) >= documents.length / 4,
  });
  const { receipt } = await job.run({
    failoverStrategy,
    restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 0 }),
    environment: systemEnvironment({ faults, freezeRecords: false }),
  }).result;
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

console.log(
  `${documents.length.toLocaleString('en')} documents, one paid call each; what follows is killed half-way.\n`,
);
console.log('exchange   strategy                tasks re-run  calls paid  paid twice  result');
console.log('─────────  ──────────────────────  ────────────  ──────────  ──────────  ──────');
for (const exchange of ['reliable', 'memory', 'blocking', 'pipelined'] as const) {
  for (const [name, strategy] of strategies) {
    const { calls, reRun, isRight } = await run(exchange, strategy);
    const cells = [
      exchange.padEnd(9),
      name.padEnd(22),
      reRun.padEnd(12),
      String(calls).padStart(10),
      String(calls - documents.length).padStart(10),
      isRight ? 'right' : 'WRONG',
    ];
    console.log(cells.join('  '));
    if (!isRight) process.exitCode = 1;
  }
}
