import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  collect,
  type ExchangeName,
  fromArray,
  fromIterable,
  Job,
  noRestart,
  toCsvFile,
  toJsonLinesFile,
} from '../../src/index.ts';
import { scratchDirectory } from '../connectors/subtasks.ts';
import { draws } from '../support/draws.ts';

interface Doc {
  readonly id: number;
  readonly text: string;
}

const at = scratchDirectory();
const exchanges: readonly ExchangeName[] = ['pipelined', 'memory', 'reliable', 'blocking'];
const mib = 1_024 * 1_024;

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

const megabytes = draws(20, 50);

it.each(exchanges)(`a record of ${megabytes} MB arrives complete between small ones: %s`, async (exchange) => {
  const docs: readonly Doc[] = [10, megabytes * mib, 20, 30].map((length, id) => ({ id, text: 'x'.repeat(length) }));
  const [jsonl, csv] = [at(`${exchange}.jsonl`), at(`${exchange}.csv`)];
  const job = Job.create('large');
  const stream = job.source('docs', fromArray(docs)).rebalance({ exchange });
  stream.sink('jsonl', toJsonLinesFile(jsonl));
  stream.sink('csv', toCsvFile<Doc>(csv, { columns: ['id', 'text'], header: false }));
  await job.run({ restartBackoff: noRestart(), memoryBudgetBytes: 16 * mib }).result;
  expect(await hashOf(jsonl)).toBe(hashOfAll(docs.map((doc) => `${JSON.stringify(doc)}\n`)));
  expect(await hashOf(csv)).toBe(hashOfAll(docs.map(({ id, text }) => `${id},${text}\n`)));
});

it('a record whose text is longer than a string can be is an error that says so, without a restart', async () => {
  const job = Job.create('too-large');
  const path = at('too-large.jsonl');
  const endless = {
    toJSON: () => {
      // The error of JSON.stringify for such a record, without its gigabytes.
      throw new RangeError('Invalid string length');
    },
  };
  job.source('docs', fromArray([endless])).sink('out', toJsonLinesFile<unknown>(path));
  await expect(job.run().result).rejects.toThrow(/the text of one record is longer than a string can be/);
});

function hashOfAll(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  return hash.digest('hex');
}

describe('records under way between two tasks are bounded in bytes', () => {
  it.each([0.2, 1, 3])('with records of %d MB', async (megabytes) => {
    const length = megabytes * mib;
    let [made, taken, most] = [0, 0, 0];
    const job = Job.create('bounded');
    const documents = function* () {
      for (let id = 0; id < 60; id++) {
        made++;
        most = Math.max(most, made - taken);
        yield { id, text: `${id}`.padEnd(length, 'x') };
      }
    };
    const out = collect<number>();
    job
      .source('docs', fromIterable(documents))
      .map((doc) => ({ ...doc }))
      .rebalance({ exchange: 'pipelined' })
      .map(({ id }) => (taken++, id))
      .sink('out', out);
    await job.run({ restartBackoff: noRestart() }).result;
    expect(out.records).toHaveLength(60);
    // About a batch in each place: the source's, the chain's, the writer's, four queued and two credited.
    expect(most).toBeLessThanOrEqual(Math.max(17, Math.ceil((14 * mib) / length)));
  });
});
