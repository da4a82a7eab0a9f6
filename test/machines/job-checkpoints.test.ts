import { CheckpointUnreadableError } from '../../src/errors/checkpoint-errors.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { CheckpointedJob } from '../support/checkpointed-job.ts';

/** Two pipelines that nothing connects: `a ^> b`, and `x ^> y`. */
const twoPipelines = (options: Partial<ConstructorParameters<typeof CheckpointedJob>[0]> = {}): CheckpointedJob => {
  const job = new CheckpointedJob({
    vertices: ['a', 'b', 'x', 'y'].map((id) => ({ id, parallelism: 1 })),
    edges: [
      { from: 'a', to: 'b', exchange: exchangeTypes.reliable },
      { from: 'x', to: 'y', exchange: exchangeTypes.reliable },
    ],
    ...options,
  });
  job.cluster.start().runAll();
  return job;
};

const eventsOf = ({ cluster }: CheckpointedJob): string[] =>
  cluster.events.flatMap((event) => {
    switch (event.type) {
      case 'checkpoint.triggered':
      case 'checkpoint.completed':
        return [`${event.head} ${event.type.slice(11)} ${event.checkpoint}`];
      case 'checkpoint.failed':
        return [`${event.head} failed ${event.checkpoint}: ${event.reason}`];
      case 'checkpoint.restored':
        return [`${event.head} restored ${event.checkpoint} region ${event.region}`];
      case 'checkpoint.unreadable':
        return [`${event.head} unreadable ${event.checkpoint}, instead ${event.instead}`];
      case 'checkpoint.outdated':
        return [`${event.head} outdated ${event.checkpoint}, by ${event.task}`];
      default:
        return [];
    }
  });

/** Regions begin again at once. */
const immediately = { restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: 20, delayMs: 0 })) };

/** From which checkpoints the later attempts of each task in the first pipeline continue. */
const restartsOf = ({ cluster }: CheckpointedJob): Record<string, (number | undefined)[]> => {
  const from: Record<string, (number | undefined)[]> = {};
  for (const { task, attempt, restore } of cluster.deployments) {
    if (attempt > 0 && /^[ab]/.test(task)) (from[task] ??= []).push(restore?.checkpoint);
  }
  return from;
};

const commandsOf = ({ cluster }: CheckpointedJob, type: string): unknown[] =>
  cluster.executors.commands.filter((command) => command.type === type);

describe('the checkpoints of a job', () => {
  it('JC1: a failure in one component aborts its checkpoint alone; that of the other completes', () => {
    const job = twoPipelines();
    job.trigger();
    job.cluster.fail('b[0]');
    const tasks = ['a[0]', 'b[0]'].map((task) => ({ vertex: job.cluster.vertex(task), attempt: 0 }));
    expect(commandsOf(job, 'checkpoint.aborted')).toEqual([{ type: 'checkpoint.aborted', checkpoint: 1, tasks }]);
    for (const task of ['x[0]', 'y[0]']) job.acknowledge(1, task);
    expect(eventsOf(job)).toEqual([
      'a[0] triggered 1',
      'x[0] triggered 1',
      'a[0] failed 1: failover',
      'x[0] completed 1',
    ]);
  });

  it('JC1: the timer of the disturbed component waits until it runs again', () => {
    const job = twoPipelines();
    job.cluster.fail('b[0]');
    const isOn = (): boolean[] =>
      job.coordinators.map((coordinator) => coordinator.getSnapshot().matches({ open: { timer: 'on' } }));
    expect(isOn()).toEqual([false, true]);
    job.passRestartDelay();
    expect(isOn()).toEqual([false, true]);
    job.cluster.runAll();
    expect(isOn()).toEqual([true, true]);
  });

  it('JC2: only the region that restarts is restored, and it is told which barriers are not its own', () => {
    const job = twoPipelines();
    job.completeUpTo(2);
    job.trigger();
    job.cluster.fail('b[0]');
    const deployments = job.passRestartDelay();
    expect(deployments.map(({ task, restore, checkpointBefore }) => [task, restore, checkpointBefore])).toEqual([
      ['b[0]', { checkpoint: 2, state: { kind: 'inline', state: { task: 'b[0]' } } }, 3],
    ]);
    expect(eventsOf(job).at(-1)).toBe(`a[0] restored 2 region ${job.cluster.regionOf('b[0]')}`);
  });

  it('JC2: a restarted producer continues its result where the barrier was', () => {
    const job = twoPipelines();
    job.trigger();
    job.acknowledge(1, 'a[0]', [{ edge: 0, records: [40] }]);
    job.acknowledge(1, 'b[0]');
    job.cluster.fail('a[0]');
    job.endCanceled();
    job.passRestartDelay();
    const registered = job.cluster.executors.commands.flatMap((command) =>
      command.type === 'results.register' ? command.registrations : [],
    );
    expect(registered.at(-1)).toMatchObject({ id: { partition: 0, attempt: 1 }, fromRecords: [40] });
    expect(registered[0]).not.toHaveProperty('fromRecords');
  });

  //  a[0..1] ─┤reliable├▶ m ─┤reliable├▶ b
  const restartsWith = (checkpointing: ConstructorParameters<typeof CheckpointedJob>[0]['checkpointing']) => {
    const job = new CheckpointedJob({
      vertices: [
        { id: 'a', parallelism: 2, deterministic: true },
        { id: 'm', parallelism: 1, deterministic: true },
        { id: 'b', parallelism: 1 },
      ],
      edges: [
        { from: 'a', to: 'm', exchange: exchangeTypes.reliable },
        { from: 'm', to: 'b', exchange: exchangeTypes.reliable },
      ],
      checkpointing,
    });
    job.cluster.start().runAll();
    const failed = (): string[] => {
      job.cluster.fail('m[0]');
      job.endCanceled();
      const deployed = job.passRestartDelay().map(({ task, channelOrder }) => `${task} ${channelOrder}`);
      job.cluster.runAll();
      return deployed.sort();
    };
    return { job, failed };
  };

  it('JC6: after an at-least-once checkpoint has begun, a task that merges channels restarts with its consumers, once', () => {
    const { job, failed } = restartsWith({ alignment: 'at-least-once' });
    expect(failed()).toEqual(['m[0] again']);
    job.trigger();
    expect(failed()).toEqual(['b[0] any', 'm[0] new']);
    expect(failed()).toEqual(['m[0] again']);
  });

  it('JC6: after one that is exactly-once, it reproduces its results', () => {
    const { job, failed } = restartsWith({ alignment: 'exactly-once' });
    job.trigger();
    expect(failed()).toEqual(['m[0] again']);
  });

  it('without a completed checkpoint a region begins anew', () => {
    const job = twoPipelines();
    job.cluster.fail('b[0]');
    expect(job.passRestartDelay().map(({ task, restore }) => [task, restore])).toEqual([['b[0]', undefined]]);
  });

  it('what every retained checkpoint has passed is told with each completed one', () => {
    const job = twoPipelines({ checkpointing: { retained: 2 } });
    for (const [checkpoint, records] of [
      [1, 40],
      [2, 90],
      [3, 95],
    ] as const) {
      job.trigger();
      job.acknowledge(checkpoint, 'a[0]', [{ edge: 0, records: [records] }]);
      job.acknowledge(checkpoint, 'b[0]');
    }
    const passed = (count: number) => [{ result: { partition: 0, attempt: 0 }, records: [count] }];
    expect(commandsOf(job, 'checkpoint.completed')).toMatchObject([
      { checkpoint: 1, oldest: 1, passed: passed(40) },
      { checkpoint: 2, oldest: 1, passed: passed(40) },
      { checkpoint: 3, oldest: 2, passed: passed(90) },
    ]);
  });

  it.each(['exactly-once', 'at-least-once'] as const)('its barriers start as the option says: %s', (alignment) => {
    const job = twoPipelines({ checkpointing: { alignment } });
    job.trigger();
    expect(commandsOf(job, 'checkpoint.trigger')).toMatchObject([{ alignment }, { alignment }]);
  });

  it('one that fails names the task that declined it, with the cause, or those that had not acknowledged it', () => {
    const job = twoPipelines({ checkpointing: { timeoutMs: 500 } });
    job.trigger();
    job.acknowledge(1, 'a[0]');
    job.acknowledge(1, 'x[0]');
    job.decline(1, 'y[0]');
    job.cluster.clock.advance(500);
    expect(job.cluster.events.filter(({ type }) => type === 'checkpoint.failed')).toMatchObject([
      { head: 'x[0]', reason: 'declined', task: 'y[0]', cause: { message: 'it keeps a socket' }, missing: ['y[0]'] },
      { head: 'a[0]', reason: 'expired', durationMs: 500, missing: ['b[0]'] },
    ]);
  });

  it('a state that comes when its checkpoint has failed is discarded; of one that is retained, nothing is', () => {
    const job = twoPipelines({ checkpointing: { timeoutMs: 500 } });
    job.completeUpTo(1);
    job.trigger();
    job.acknowledge(2, 'a[0]');
    job.cluster.clock.advance(500);
    const discarded = job.storage.discarded.splice(0);
    expect(discarded).toEqual([2, 2]);
    job.acknowledge(2, 'b[0]');
    expect(job.storage.discarded).toEqual([2]);
    job.acknowledge(1, 'b[0]');
    expect(job.storage.discarded).toEqual([2]);
  });

  it('a region restarts once it is known whether the complete checkpoint is stored', () => {
    const job = twoPipelines();
    job.completeUpTo(1);
    job.storage.isSlow = true;
    job.trigger();
    job.acknowledgeAll(2);
    job.cluster.fail('b[0]');
    expect(job.passRestartDelay()).toEqual([]);
    job.storage.answer();
    expect(job.passRestartDelay().map(({ task, restore }) => [task, restore?.checkpoint])).toEqual([['b[0]', 2]]);
  });

  it.each(['at once', 'later'] as const)(
    'JC2: the last task finishes, and its region restarts on the same turn: it continues from the checkpoint, stored %s',
    (when) => {
      const job = twoPipelines({ ...immediately, failoverStrategy: failoverStrategyMachine(restartAll()) });
      job.trigger();
      job.acknowledge(1, 'a[0]');
      job.cluster.report('a[0]', 'finished');
      job.storage.isSlow = when === 'later';
      job.cluster.together(() => {
        job.cluster.report('b[0]', 'finished');
        job.cluster.fail('x[0]');
      });
      job.storage.answer();
      job.passRestartDelay();
      expect(eventsOf(job)).toContain('a[0] completed 1');
      expect(restartsOf(job)).toEqual({ 'a[0]': [1], 'b[0]': [1] });
    },
  );

  it('JC2: of a checkpoint that turns out to be unreadable while a region begins it uses all or nothing, and restarts', () => {
    const job = twoPipelines({ ...immediately, checkpointing: { retained: 2 } });
    const { cluster } = job;
    for (const [checkpoint, records] of [
      [1, 40],
      [2, 90],
    ] as const) {
      job.trigger();
      job.acknowledge(checkpoint, 'a[0]', [{ edge: 0, records: [records] }]);
      job.acknowledge(checkpoint, 'b[0]');
    }
    cluster.executors.answering = ({ type }) => (type === 'results.register' ? 'later' : undefined);
    cluster.fail('a[0]');
    cluster.executors.answering = () => undefined;
    job.endCanceled();
    cluster.fail('b[0]', new CheckpointUnreadableError('case/2', 'it is damaged'));
    for (const { answer } of cluster.executors.held.splice(0)) answer();
    job.endCanceled();
    job.passRestartDelay();
    const begun = cluster.executors.commands.flatMap((command) =>
      command.type === 'results.register' ? command.registrations.map(({ fromRecords }) => fromRecords) : [],
    );
    expect(restartsOf(job)).toEqual({ 'a[0]': [1], 'b[0]': [2, 1] });
    expect(begun).toContainEqual([40]);
  });

  it('a checkpoint that cannot be read is given up: what continues from it restarts from the one before', () => {
    const job = twoPipelines({ checkpointing: { retained: 2 } });
    job.completeUpTo(2);
    const { cluster } = job;
    cluster.fail('a[0]');
    job.endCanceled();
    job.passRestartDelay();
    cluster.runAll(['a[0]']);
    cluster.fail('b[0]', new CheckpointUnreadableError('case/2', 'it is damaged'));
    job.endCanceled();
    const deployments = job.passRestartDelay();
    expect(deployments.map(({ task, restore }) => [task, restore?.checkpoint]).sort()).toEqual([
      ['a[0]', 1],
      ['b[0]', 1],
    ]);
    expect(eventsOf(job)).toContain('a[0] unreadable 2, instead 1');
    expect(cluster.status).toBe('running');
  });

  it('the job fails if there is none before it: to begin anew would repeat what was committed', () => {
    const job = twoPipelines();
    job.completeUpTo(1);
    job.cluster.fail('b[0]');
    job.passRestartDelay();
    job.cluster.fail('b[0]', new CheckpointUnreadableError('case/1', 'it is damaged'));
    job.endCanceled();
    expect(eventsOf(job)).toContain('a[0] unreadable 1, instead undefined');
    expect([job.cluster.status, job.cluster.master.getSnapshot().context.failure?.cause]).toMatchObject([
      'failed',
      { code: 'NO_CHECKPOINT_LEFT' },
    ]);
  });

  it('too many failed checkpoints restart the component, and no other', () => {
    const job = twoPipelines({ checkpointing: { tolerableFailures: 0 } });
    job.trigger();
    job.decline(1, 'b[0]');
    expect(job.cluster.canceled.sort()).toEqual(['a[0]', 'b[0]']);
    job.endCanceled();
    expect(
      job
        .passRestartDelay()
        .map(({ task }) => task)
        .sort(),
    ).toEqual(['a[0]', 'b[0]']);
    const failure = job.cluster.events.find(({ type }) => type === 'task.failed');
    expect(failure).toMatchObject({ cause: { code: 'CHECKPOINTS_FAILED', reason: 'declined', head: 'a[0]' } });
  });

  it('a task that finishes before its barrier comes is not awaited', () => {
    const job = twoPipelines();
    job.trigger();
    job.cluster.report('a[0]', 'finished');
    job.acknowledge(1, 'b[0]');
    expect(eventsOf(job)).toContain('a[0] completed 1');
    job.trigger();
    expect(commandsOf(job, 'checkpoint.trigger').at(-1)).toMatchObject({
      vertex: job.cluster.vertex('b[0]'),
      checkpoint: 2,
    });
  });

  it('a task that had finished restarts with its region, and ends its results again', () => {
    const job = new CheckpointedJob({
      vertices: ['a', 'b'].map((id) => ({ id, parallelism: 1 })),
      edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.pipelined }],
    });
    job.cluster.start().runAll();
    job.completeUpTo(1);
    job.cluster.report('a[0]', 'finished');
    job.trigger();
    job.acknowledge(2, 'b[0]');
    job.cluster.fail('b[0]');
    expect(job.passRestartDelay().map(({ task, restore }) => [task, restore])).toMatchObject([
      ['a[0]', { checkpoint: 2, state: { kind: 'finished' } }],
      ['b[0]', { checkpoint: 2, state: { kind: 'inline' } }],
    ]);
  });

  it('a checkpoint at which one has finished whose results another region reads is as good as any: it has been read to its end', () => {
    const job = new CheckpointedJob({
      vertices: ['a', 'b', 'c'].map((id) => ({ id, parallelism: 1 })),
      edges: [
        { from: 'a', to: 'b', exchange: exchangeTypes.pipelined },
        { from: 'a', to: 'c', exchange: exchangeTypes.reliable },
      ],
    });
    job.cluster.start().runAll();
    job.completeUpTo(1);
    job.cluster.report('a[0]', 'finished');
    job.trigger();
    job.acknowledgeAll(2);
    expect(eventsOf(job).at(-1)).toBe('a[0] completed 2');
    job.cluster.fail('b[0]');
    const restored = job.passRestartDelay().map(({ task, restore }) => [task, restore?.checkpoint]);
    expect(restored).toEqual(
      expect.arrayContaining([
        ['a[0]', 2],
        ['b[0]', 2],
      ]),
    );
  });

  it('a component that writes complete results is not checkpointed', () => {
    const job = new CheckpointedJob({
      vertices: ['a', 'b'].map((id) => ({ id, parallelism: 1 })),
      edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.blocking }],
    });
    job.cluster.start().runAll();
    job.trigger();
    expect(job.coordinators).toHaveLength(1);
    expect(eventsOf(job)).toEqual(['b[0] failed 1: notAllRunning']);
  });

  it.each([
    ['runs', 'b[0]', []],
    ['has finished', 'x[0]', ['b[0]', 'c[0]']],
  ] as const)(
    'JC5: a component that %s begins anew if what it reads complete is written anew, be its last checkpoint stored or not',
    (_, failing, finished) => {
      const job = new CheckpointedJob({
        vertices: ['a', 'b', 'c', 'x'].map((id) => ({ id, parallelism: 1 })),
        edges: [
          { from: 'a', to: 'b', exchange: exchangeTypes.blocking },
          { from: 'b', to: 'c', exchange: exchangeTypes.reliable },
        ],
        ...{ ...immediately, failoverStrategy: failoverStrategyMachine(restartAll()) },
      });
      const { cluster, storage } = job;
      cluster.start().runAll(['a[0]', 'x[0]']);
      cluster.report('a[0]', 'finished');
      cluster.runAll(['b[0]', 'c[0]']);
      job.completeUpTo(1);
      for (const task of finished) cluster.report(task, 'finished');
      storage.isSlow = true;
      job.trigger();
      job.acknowledgeAll(2);
      cluster.fail(failing);
      job.endCanceled();
      storage.answer();
      job.passRestartDelay();
      cluster.runAll(['a[0]']);
      cluster.report('a[0]', 'finished');
      job.passRestartDelay();
      const again = cluster.deployments.filter(({ attempt, task }) => attempt > 0 && /^[bc]/.test(task));
      expect(again.map(({ task, restore }) => [task, restore])).toEqual([
        ['b[0]', undefined],
        ['c[0]', undefined],
      ]);
      expect(eventsOf(job).filter((told) => told.includes('outdated'))).toEqual(
        expect.arrayContaining(['b[0] outdated 1, by a[0]', 'b[0] outdated 2, by a[0]']),
      );
    },
  );

  it('once all tasks have finished, and once the job is over, nothing is triggered', () => {
    const job = twoPipelines();
    for (const task of ['a[0]', 'b[0]']) job.cluster.report(task, 'finished');
    const timers = (): unknown[] => job.coordinators.map((coordinator) => coordinator.getSnapshot().value);
    expect(timers()).toMatchObject([{ open: { timer: 'off' } }, { open: { timer: { on: 'waiting' } } }]);
    for (const task of ['x[0]', 'y[0]']) job.cluster.report(task, 'finished');
    expect([job.cluster.status, timers()]).toEqual(['finished', ['stopped', 'stopped']]);
  });
});
