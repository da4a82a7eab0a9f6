import { join } from 'node:path';
import {
  type CheckpointStorage,
  fileCheckpoints,
  fixedDelay,
  Job,
  type JobEvent,
  restartAll,
  type Sink,
  type Source,
} from '../../src/index.ts';
import { AbandonedRuns, transactionalSink, World } from '../support/abandoned-run.ts';
import { runStory } from '../support/run-story.ts';

const count = 400;

/** The numbers up to `count`, at each reading in another order, as those of several inputs that arrive in any order. */
function shuffled(): Source<number> {
  let readings = 0;
  return {
    name: 'shuffled',
    maxParallelism: 1,
    open() {
      const first = readings++ * 37;
      let next = 0;
      return {
        close: () => {},
        read: () => {
          if (next >= count) return null;
          const batch = Array.from({ length: 8 }, (_, at) => (first + next + at) % count);
          next += batch.length;
          return batch;
        },
      };
    },
  };
}

/** A sink that takes 1 ms for each batch, so that checkpoints complete while its task reads. */
function slow<Out>(sink: Sink<Out>): Sink<Out> {
  return {
    ...sink,
    async open(context, from) {
      const writer = await sink.open(context, from);
      return {
        ...writer,
        async write(records) {
          await writer.write(records);
          await new Promise<void>((resolve) => void context.environment.clock.setTimeout(resolve, 1));
        },
      };
    },
  };
}

/** A storage that removes no single checkpoint, as one that does not answer in time. */
function thatKeeps(storage: CheckpointStorage): CheckpointStorage {
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'discard') return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

//  numbers ─blocking─▶ checked[0..1] ─▶ out    `checked` fails once, after that many records
const checking =
  (failsAt: number) =>
  (world: World<number>): Job => {
    const job = Job.create('check', { mode: 'streaming', parallelism: 2 });
    let seen = 0;
    job
      .source('numbers', shuffled(), { version: 1 })
      .rebalance({ exchange: 'blocking' })
      .map(
        (n) => {
          if (++seen === failsAt) throw new Error('its machine is off');
          return n;
        },
        { uid: 'checked', version: 1 },
      )
      .sink('out', slow({ ...transactionalSink(world), redo: 'replaces' }), { version: 1 });
    return job;
  };

const options = {
  checkpoints: { intervalMs: 2 },
  batchSize: 8,
  failoverStrategy: restartAll(),
  restartBackoff: fixedDelay({ maxAttempts: 5, delayMs: 10 }),
};

const numbers = Array.from({ length: count }, (_, n) => n);

const ascending = (records: readonly number[]): number[] => [...records].sort((a, b) => a - b);

const of = <Type extends JobEvent['type']>(events: readonly JobEvent[], type: Type) =>
  events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);

describe('a complete result that is produced anew, in another order', () => {
  it('JC5: its consumers begin anew, and every record counts once', async () => {
    const world = new World<number>();
    const { events } = await runStory(checking(300)(world), options);
    expect(of(events, 'checkpoint.outdated').map(({ task }) => task)).toContain('numbers[0]');
    expect(of(events, 'checkpoint.restored')).toEqual([]);
    expect(ascending(world.transacted)).toEqual(numbers);
  });

  it('JC5: neither does the next process continue from a checkpoint of the result before', async () => {
    using runs = new AbandonedRuns(checking(300), options);
    const storage = thatKeeps(fileCheckpoints(join(runs.stateDirectory, 'checkpoints')));
    await runs.runUntil(
      (event) =>
        event.type === 'task.stateChanged' &&
        event.task === 'numbers[0]' &&
        event.attempt === 1 &&
        event.state === 'finished',
      { checkpoints: { ...options.checkpoints, storage } },
    );
    const { events } = await runs.run({}, checking(Infinity));
    expect(
      of(events, 'task.stateChanged').some(({ task, state }) => task === 'numbers[0]' && state === 'running'),
    ).toBe(false);
    expect(of(events, 'checkpoint.restored')).toEqual([]);
    expect(ascending(runs.world.transacted)).toEqual(numbers);
  });
});
