import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CheckpointStorage,
  type Exchange,
  fileCheckpoints,
  fixedDelay,
  Job,
  type JobEvent,
  restartAll,
  type Sink,
  type Source,
} from '../../src/index.ts';
import type { ExecutionVertexId, PartitionId } from '../../src/ids.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
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

  it('LC3: checkpoints of the result before that a process left, because it died, are removed by the next one', async () => {
    using runs = new AbandonedRuns(checking(300), options);
    const manifests = (): string[] =>
      readdirSync(join(runs.stateDirectory, 'checkpoints'), { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('.manifest'),
      );
    const storage = thatKeeps(fileCheckpoints(join(runs.stateDirectory, 'checkpoints')));
    let outdated = Infinity;
    await runs.runUntil(
      (event) => {
        if (event.type === 'checkpoint.outdated') outdated = event.checkpoint;
        return event.type === 'checkpoint.completed' && event.checkpoint > outdated + 1;
      },
      { checkpoints: { ...options.checkpoints, storage } },
    );
    expect(manifests().length).toBeGreaterThan(2);
    await runs.runUntil((event) => event.type === 'job.resumed');
    // One of each component.
    expect(manifests()).toHaveLength(2);
    const { events } = await runs.run({}, checking(Infinity));
    expect(of(events, 'checkpoint.restored')).not.toEqual([]);
    expect(ascending(runs.world.transacted)).toEqual(numbers);
  });
});

//  numbers ─blocking─▶ joined ─▶ out
//  ticks ─exchange─▶ joined             `numbers` is lost while `joined` reads it, and produced again in another order
describe('a component that reads such a result and a source of its own, of whose result checkpoints have passed a part', () => {
  const first = 1_000;
  const joining = (exchange: Exchange, world: World<number>, redo: 'replaces' | 'repeats'): Job => {
    const job = Job.create('join', { mode: 'streaming' });
    const ticks = job.source('ticks', tickingSource(count), { version: 1 }).map((n) => first + n);
    job
      .source('numbers', shuffled(), { version: 1 })
      .rebalance({ exchange: 'blocking' })
      .union(ticks.rebalance({ exchange }))
      .map((n) => n, { uid: 'joined' })
      .sink('out', slow({ ...transactionalSink(world), redo }), { version: 1 });
    return job;
  };

  it.each(
    (['pipelined', 'memory', 'reliable'] as const).flatMap((exchange) =>
      [1, 2, 4].map((completed) => [exchange, completed] as const),
    ),
  )(
    'JC5: over %s, after checkpoint %d: it begins anew, and every record is committed once',
    async (exchange, completed) => {
      const world = new World<number>();
      const environment = virtualEnvironment({ seed: completed });
      const run = joining(exchange, world, 'repeats').run({
        batchSize: 8,
        checkpoints: { intervalMs: 2 },
        environment,
      });
      const { controls, shape } = insideOf(run);
      const task = (uid: string): ExecutionVertexId =>
        shape.graph.vertexAt(shape.graph.jobGraph.vertexIndexById.get(uid as never) as number, 0);
      const events: JobEvent[] = [];
      run.events$.subscribe((event) => {
        events.push(event);
        if (event.type !== 'checkpoint.completed' || of(events, event.type).length !== completed) return;
        environment.clock.setImmediate(() => {
          controls.losePartition(shape.graph.partitionsOf(task('numbers'))[0] as PartitionId);
          controls.failTask(task('joined'));
        });
      });
      await environment.drive(run.result);
      expect(of(events, 'checkpoint.outdated').map((event) => event.task)).toContain('numbers[0]');
      expect(ascending(world.transacted)).toEqual([...numbers, ...numbers.map((n) => first + n)]);
    },
  );
});
