import { parseArgs } from 'node:util';
import { KafkaBroker, missingForBroker } from './broker/kafka-broker.ts';
import { Cluster } from './cluster.ts';
import { failingTasks, frozenBroker, killedProcesses, rescaled, restartedBroker } from './kills.ts';
import {
  addedPartitions,
  compacted,
  deletedRecords,
  largeRecords,
  missingTopics,
  transactions,
  writeAndRead,
} from './topics.ts';

type Trial = (cluster: Cluster, seed: number) => Promise<string | void>;

/** Once. */
const topics: readonly Trial[] = [
  writeAndRead,
  transactions,
  compacted,
  deletedRecords,
  largeRecords,
  missingTopics,
  addedPartitions,
  frozenBroker,
];
/** For each seed. */
const kills: readonly Trial[] = [failingTasks, killedProcesses, rescaled, restartedBroker];

/**
 * `npm run kafka -- --runs N --seed S [NAME…]`: `fromKafka` and `toKafka` with a real broker, which Maven downloads; with N seeds of
 * what is killed, from seed S on. With names, only these trials.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runs: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } },
  });
  const missing = missingForBroker();
  if (missing !== undefined) {
    print(`fromKafka and toKafka are not tested: ${missing}`);
    return 0;
  }
  const broker = await KafkaBroker.start();
  const cluster = new Cluster(broker);
  let [passed, failed] = [0, 0];
  const isWanted = ({ name }: Trial): boolean => positionals.length === 0 || positionals.includes(name);
  const attempt = async (trial: Trial, seed: number): Promise<void> => {
    const startMs = performance.now();
    try {
      const told = await trial(cluster, seed);
      passed++;
      print(`${trial.name} ${seed}: ${told ?? 'passed'} (${Math.round(performance.now() - startMs)} ms)`);
    } catch (error) {
      failed++;
      print(`${trial.name} ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  };
  try {
    for (const trial of topics.filter(isWanted)) await attempt(trial, 0);
    const first = Number(values.seed);
    for (let seed = first; seed < first + Number(values.runs); seed++) {
      for (const trial of kills.filter(isWanted)) await attempt(trial, seed);
    }
  } finally {
    await cluster.close();
    await broker.remove();
  }
  print(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
