import {
  collect,
  type DataStream,
  type DeadLetter,
  Job,
  listState,
  memory,
  memoryCheckpoints,
  type RuntimeContext,
  type Sink,
} from '../../src/index.ts';
import { faultPlan } from '../../src/testing/index.ts';
import { runStory } from '../support/run-story.ts';
import { tickingSource } from '../support/ticking-source.ts';

const count = 20;

const isPoison = (n: number): boolean => n % 5 === 1;

const wait = ({ environment: { clock } }: RuntimeContext, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimeout(resolve, ms));

/** A sink that takes this long to prepare its output for a checkpoint, and to write. */
function slow<Row>(sink: Sink<Row>, { prepareMs = 0, writeMs = 0 }): Sink<Row> {
  return {
    ...sink,
    open: async (context, from) => {
      const writer = await sink.open(context, from);
      return {
        write: async (rows) => {
          if (writeMs > 0) await wait(context, writeMs);
          await writer.write(rows);
        },
        prepareCheckpoint: async (about) => {
          if (prepareMs > 0) await wait(context, prepareMs);
          return writer.prepareCheckpoint?.(about);
        },
        commit: () => writer.commit(),
        abort: () => writer.abort(),
      };
    },
  };
}

/** Holds each number back for some milliseconds. */
function held(stream: DataStream<number>): DataStream<number> {
  return stream
    .keyBy(() => 0)
    .process(
      {
        states: { waiting: listState<number>() },
        onRecord: (n, { states, nowMs, setTimer }) => {
          if (!states.waiting.get().length) setTimer(nowMs + 4);
          states.waiting.add(n);
        },
        onTimer: (_, { states }, emit) => {
          for (const n of states.waiting.get()) emit(n);
          states.waiting.clear();
        },
        onEnd: ({ states }, emit) => {
          for (const n of states.waiting.get()) emit(n);
        },
      },
      { uid: 'held' },
    );
}

/**
 * ```
 *   ticks, held ─▶ taste ══▶ out        ─▶ pipelined, ══▶ memory
 *   records in      │                   a checkpoint is complete when its barrier has got to `out`;
 *   state           ▼                   while its dead letters are still being prepared for it,
 *              dead letters             `taste` gets what was held, and its end
 * ```
 */
it('a task whose dead letters are prepared until it ends has its state in the checkpoint, and continues from it', async () => {
  const [rows, letters] = [collect<number>(), collect<DeadLetter>()];
  const job = Job.create('late letters', { mode: 'streaming', parallelism: 1 });
  held(job.source('ticks', tickingSource(count, 1)))
    .rebalance({ exchange: 'pipelined' })
    .map(
      (n) => {
        if (isPoison(n)) throw new Error('poison');
        return n;
      },
      { uid: 'taste', onError: { deadLetter: slow(letters, { prepareMs: 200 }) }, maxErrors: { share: 1 } },
    )
    .rebalance({ exchange: memory() })
    .sink('out', slow(rows, { writeMs: 60 }));
  const faults = faultPlan();
  const { events, unfired } = await runStory(
    job,
    {
      ...{ faults, resultsOfLostExecutors: 'lost' },
      checkpoints: { intervalMs: 10, storage: memoryCheckpoints() },
    },
    ({ loseExecutorOf }) =>
      faults.call('task.batch', () => loseExecutorOf('out[0]'), {
        when: ({ vertex }) => vertex === 'out',
        ...{ skip: 4, times: 1 },
      }),
  );
  expect(unfired).toEqual([]);
  const all = Array.from({ length: count }, (_, n) => n);
  expect(rows.records).toEqual(all.filter((n) => !isPoison(n)));
  expect(letters.records.map(({ record }) => record)).toEqual(all.filter(isPoison));
  expect(events.filter(({ type }) => type === 'checkpoint.restored').length).toBeGreaterThan(0);
});
