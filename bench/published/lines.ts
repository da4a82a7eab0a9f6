/** A line of the published tables: what was measured, and the bench rows shown side by side. */
export interface PublishedLine {
  readonly what: string;
  /** Names of rows of one kind and goal; several are shown separated by a dot. */
  readonly rows: readonly string[];
  readonly shown: Shown;
  /** Whether the README shows it too. */
  readonly inReadme?: true;
}

/** How the value of a row is shown: relative to its baseline, or in a unit. */
export type Shown = 'times as fast' | '×' | 'µs' | 'ms' | 's' | 'kB' | 'B' | 'MB in use';

const nexmark = ['q0, pass-through', 'q1, currency', 'q2, filter'];
const noOps = 'deployment of 20,000 no-op tasks';
const deployments = [`${noOps}, one region, a pipelined shuffle`, `${noOps}, 10,000 pipelines of two`];
const followed = ['5,000', '10,000'].map((n) => `deployment of ${n} no-op tasks, every actor followed`);
const restartSet = (which: string): string => `restart set: ${which}, 10,000 × 10,000 all-to-all`;

const merged = (exchange: string, keys: string): string =>
  `fold of 2 M records with merge, over a ${exchange} shuffle, ${keys}, beside without`;

/** The published lines, in their order. */
export const publishedLines: readonly PublishedLine[] = [
  {
    what: 'map → filter → keyed sum of 50 M records, whole job, vs. a hand-written loop',
    rows: ['fused chain: map → filter → keyed sum of 50 M records, a whole job'],
    shown: 'times as fast',
    inReadme: true,
  },
  {
    what: 'the same through a 4-way hash shuffle, vs. a loop that routes',
    rows: ['the same through a 4-way hash shuffle'],
    shown: 'times as fast',
    inReadme: true,
  },
  {
    what: 'a map that takes 0.1 ms a record, vs. a loop that calls it',
    rows: ['a map that takes 0.1 ms for each of 10,000 records, a whole job'],
    shown: 'times as fast',
  },
  {
    what: 'a keyed sum with `merge`, 1 000 · 1 M keys, vs. without it, through a `pipelined` shuffle',
    rows: ['1,000 keys', '1 M equally frequent keys'].map((keys) => merged('pipelined', keys)),
    shown: 'times as fast',
  },
  {
    what: 'the same through a `reliable` one',
    rows: ['1,000 keys', '1 M equally frequent keys'].map((keys) => merged('reliable', keys)),
    shown: 'times as fast',
  },
  {
    what: 'Nexmark q0 · q1 · q2, whole job, vs. a loop that handles each event before it makes the next',
    rows: nexmark.map((query) => `Nexmark ${query}, beside a loop over records`),
    shown: 'times as fast',
  },
  {
    what: 'the same vs. a loop over batches of events',
    rows: nexmark.map((query) => `Nexmark ${query}, beside a loop over batches`),
    shown: 'times as fast',
  },
  {
    what: 'a whole job without records',
    rows: ['a whole job without records, first line to last'],
    shown: 'ms',
  },
  {
    what: 'start of a process to the first record, CPU · a process that only imports xstate and all of rxjs',
    rows: [
      'a built job from the start of its process to the first record',
      'a process that only imports xstate and rxjs',
    ],
    shown: 'ms',
  },
  {
    what: 'regions of 10 000 × 10 000 all-to-all, pipelined · blocking',
    rows: ['regions: all-to-all, pipelined, 10,000 a vertex', 'regions: all-to-all, blocking, 10,000 a vertex'],
    shown: 'ms',
  },
  {
    what: 'which regions restart: pipelined, a task fails · blocking, a producer · a consumer fails',
    rows: [
      restartSet('pipelined, a task fails'),
      restartSet('blocking, a producer fails'),
      restartSet('blocking, a consumer fails'),
    ],
    shown: 'ms',
  },
  {
    what: 'the same if every result is lost too, 20 000 regions',
    rows: [restartSet('blocking, a consumer fails, all results lost')],
    shown: 'ms',
  },
  {
    what: 'a failed pipeline runs again, in a job of 100 · 1 000 · 10 000',
    rows: ['100', '1,000', '10,000'].map((n) => `failure of one pipeline of ${n} → it runs again, no backoff`),
    shown: 'ms',
    inReadme: true,
  },
  {
    what: 'the same, CPU of the process once its code is optimized',
    rows: ['100', '1,000', '10,000'].map((n) => `failure of one pipeline of ${n} → it runs again, CPU`),
    shown: 'ms',
  },
  {
    what: 'one consumer runs again with 1 · 10 M records retained',
    rows: ['1', '10'].map((n) => `${n} M records retained: failure of the one consumer → it runs`),
    shown: 'ms',
    inReadme: true,
  },
  {
    what: 'it re-reads them, vs. read + decode by hand',
    rows: ['1', '10'].map((n) => `${n} M records retained: replay to the last, beside reading and decoding by hand`),
    shown: 'times as fast',
  },
  {
    what: 'deployment of 20 000 no-op tasks, one region · 10 000 pipelines',
    rows: deployments,
    shown: 's',
    inReadme: true,
  },
  {
    what: 'the same vs. as many bare XState actors',
    rows: deployments.map((name) => `${name}, beside 20,000 bare XState actors`),
    shown: 'times as fast',
  },
  {
    what: 'bytes per idle execution, in pipelines of two · in one region',
    rows: ['pipelines of two (half a region each)', 'all in one region'].map(
      (where) => `bytes per idle execution, 20,000, ${where}`,
    ),
    shown: 'kB',
  },
  {
    what: 'memory in use while 1 GB passes to a slow sink, heap limited to 96 MB, streaming · batch',
    rows: ['streaming', 'batch'].map((mode) => `memory in use while 1 GB passes to a slow sink, ${mode}`),
    shown: 'MB in use',
    inReadme: true,
  },
  {
    what: '`reliable`, consumer in step, vs. encode + write + sync + read + decode by hand',
    rows: ['reliable, consumer in step, beside encode + write + sync + read + decode of the same frames by hand'],
    shown: 'times as fast',
  },
  {
    what: 'the same vs. encode + write + sync alone: in step nothing is read',
    rows: ['the same, beside encode + write + sync alone (in step nothing is read)'],
    shown: 'times as fast',
  },
  {
    what: '`reliable`, read back late, vs. read + decode by hand',
    rows: ['reliable, late consumer, beside read + decode of the same frames by hand'],
    shown: 'times as fast',
    inReadme: true,
  },
  {
    what: '`memory` vs. `pipelined`, rows parsed from JSON',
    rows: ['0.4 M rows parsed from JSON, through memory, beside pipelined'],
    shown: 'times as fast',
  },
  {
    what: '`memory` vs. `pipelined`, rows that cost nothing to make',
    rows: ['1 M rows that cost nothing, through memory, beside pipelined'],
    shown: 'times as fast',
  },
  {
    what: 'the same vs. a loop that makes and keeps them',
    rows: ['1 M rows that cost nothing, through memory, beside a loop that makes and keeps them'],
    shown: 'times as fast',
  },
  {
    what: 'rows of an NDJSON · CSV · Parquet file in a job, vs. JSON.parse · csv-parse · hyparquet alone',
    rows: ['NDJSON, beside JSON.parse of each line', 'CSV, beside csv-parse', 'Parquet, beside hyparquet'].map(
      (format) => `0.2 M rows of ${format}`,
    ),
    shown: 'times as fast',
  },
  {
    what: 'bytes held per row, on disk · in memory',
    rows: [
      'held, reliable: disk, beside the encoded row',
      'held, memory: memory as run.storage() has it, beside the encoded row',
    ],
    shown: 'B',
  },
  {
    what: 'a job over 2 M records with the inspector, nobody watches · recorded in a file, vs. without',
    rows: ['nobody watches', 'recorded in a file'].map((how) => `a job over 2,000,000 records, inspected, ${how}`),
    shown: 'times as fast',
  },
  {
    what: 'the states of all actors of 5 000 · 10 000 tasks, watched, per event of an actor',
    rows: followed.map((deployment) => `${deployment}: cost per event of an actor`),
    shown: 'µs',
  },
  {
    what: 'two workers vs. one, a map that takes 0.1 ms a record',
    rows: ['a map that takes 0.1 ms for each of 20,000 records, two workers beside one'],
    shown: 'times as fast',
    inReadme: true,
  },
  {
    what: 'sums of 10,000 · 100,000 keys that all change, with a checkpoint each second, vs. without',
    rows: ['10,000', '100,000'].map(
      (keys) => `sums of ${keys} keys that all change, with a checkpoint each second, beside none`,
    ),
    shown: 'times as fast',
  },
  {
    what: 'longest pause of a task for a checkpoint of 1 M keys',
    rows: ['longest pause of a task for a checkpoint of 1 M keys'],
    shown: 'ms',
  },
  {
    what: 'a full · incremental checkpoint of 1 M keys, in memory, while 100,000 of them change',
    rows: ['a full', 'an incremental'].map(
      (one) => `${one} checkpoint of 1 M keys, in memory, while 100,000 of them change`,
    ),
    shown: 'ms',
  },
  {
    what: 'bytes of a checkpoint with 1,000 of 100,000 · 100,000 of 1 M keys changed, of those of a full one',
    rows: ['1,000 of 100,000', '100,000 of 1 M'].map(
      (keys) => `bytes of a checkpoint with ${keys} keys changed, of those of a full one`,
    ),
    shown: '×',
  },
  {
    what: 'one of 100 components with 10,000 keys each fails → it runs again from its checkpoint · without reading it',
    rows: [
      'one of 100 components with 10,000 keys each fails → it runs again from its checkpoint',
      'the same without reading its state',
    ],
    shown: 'ms',
  },
  {
    what: 'sums of 10 M keys with `lmdbState`, whole job, vs. a loop over lmdb',
    rows: ['sums of 10 M keys on disk, a whole job, beside a loop over lmdb'],
    shown: 'times as fast',
  },
  {
    what: 'memory of its process, without mapped files · size of the files · their pages in memory · the sums in memory',
    rows: [
      'memory of a process with sums of 10 M keys on disk, without mapped files',
      'the files with the sums of 10 M keys',
      'pages of files that were in memory, sums of 10 M keys on disk',
      'the same with the sums in memory, 10 M keys',
    ],
    shown: 'MB in use',
  },
  {
    what: 'JSON lines of 1 GB, parsed and summed by two workers, vs. a hand-written pool of two',
    rows: ['JSON lines of 1 GB, parsed and summed by key over two workers, beside a pool of two by hand'],
    shown: 'times as fast',
  },
  {
    what: 'a shuffle of numbers · texts · flat objects between two workers, vs. one thread',
    rows: ['36 M numbers', '18 M texts', '12 M flat objects'].map(
      (records) => `shuffle of ${records} between two workers, beside one thread`,
    ),
    shown: 'times as fast',
  },
  {
    what: 'two workers, from `run()` to the first running task, vs. importing the same module in two workers',
    rows: ['two workers, from run() to the first running task, beside importing the same module in two workers'],
    shown: 'times as fast',
  },
  {
    what: 'one of eight workers ends: from the event of its loss until its task runs on another one',
    rows: ['one of eight workers ends: from the event of its loss until its task runs on another one'],
    shown: 'ms',
  },
];
