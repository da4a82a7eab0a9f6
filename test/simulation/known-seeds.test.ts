import { simulate } from '../../src/testing/index.ts';
import { deleteFiles } from './changing-file.ts';
import { drawJobAndFiles } from './drawn/drawn-job.ts';
import { withQuarantine } from './drawn/drawn-quarantine.ts';
import { drawRudeExtensions } from './rude-extensions.ts';
import { small } from './drawn/drawn-size.ts';
import { simulateStream } from './run-streams.ts';

afterAll(deleteFiles);

/** Seeds that went wrong once over workers, and what was wrong. */
const seeds: readonly (readonly [seed: number, why: string])[] = [
  [448, 'a result lost with its executor while its consumers waited to restart was waited for, without end'],
  [627, 'the same, after two failures'],
];

describe('over workers', () => {
  it.each(seeds)('seed %i: %s', async (seed) => {
    const { job } = drawJobAndFiles(seed);
    const report = await simulate(job, { seed, workers: true, ...withQuarantine(seed, drawRudeExtensions(seed)) });
    expect(report.history.events.at(-1)).toMatchObject({ status: 'finished' });
  });
});

describe('streams with checkpoints', () => {
  it('small seed 168: a drain that a task declined, because it was committing, ended the job instead of restarting the tasks', async () => {
    const { history } = await simulateStream(168, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it('small seed 3117: a savepoint began while a source reproduced what its consumers had read, and another parallelism read that again', async () => {
    const { history } = await simulateStream(3117, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
    expect(history.events.map(({ type }) => type)).not.toContain('determinism.broken');
  });

  it('small seed 12843: a source that only ended again, as it had finished before the checkpoint, was said not to be deterministic', async () => {
    const { history } = await simulateStream(12843, false, small);
    expect(history.events.map(({ type }) => type)).not.toContain('determinism.broken');
  });

  it('small seed 204052: a result was released while it was reproduced from a checkpoint, and the rest was compared with other elements', async () => {
    const { history } = await simulateStream(204052, false, small);
    expect(history.events.map(({ type }) => type)).not.toContain('determinism.broken');
  });

  it.each([409826, 411713])(
    'small seed %i: a restarted producer wrote the barrier of a savepoint to one of two consumers',
    async (seed) => {
      const { history } = await simulateStream(seed, false, small);
      expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
    },
  );

  it('small seed 502189: a producer that was behind its consumer wrote a barrier among what that skips, and it was in no checkpoint', async () => {
    const { history } = await simulateStream(502189, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it('small seed 510621: a task began anew after its savepoint, with which the run was to stop, and went on while others were taken', async () => {
    await expect(simulateStream(510621, false, small)).resolves.toBeDefined();
  });

  it('small seed 905851: a checkpoint was aborted while a sink prepared, its state was still written, without end, and its task never ended', async () => {
    const { history } = await simulateStream(905851, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it('small seed 31409: a task that had finished before the checkpoint did not dismiss its input, and its producer waited for it', async () => {
    const { history } = await simulateStream(31409, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it('small seed 34163: dead letters were written while their sink was committing, and the commit of a later checkpoint was lost', async () => {
    const { history } = await simulateStream(34163, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it('small seed 8705639: a sink took longer to prepare than the next barrier took to come, and its task never got the end of its input', async () => {
    const { history } = await simulateStream(8705639, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it.each([
    [
      1019,
      'its dead letters were still being prepared for a checkpoint when its task ended, which then had no state in it',
    ],
    [1523, 'the same'],
    [2001, 'the same, with keyed state'],
  ])('small seed %i: %s', async (seed) => {
    const { history } = await simulateStream(seed, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
  });

  it('seed 595: consumers of a blocking result continued from their checkpoint in a new one, which had another order', async () => {
    const { history } = await simulateStream(595);
    expect(history.events.map(({ type }) => type)).toContain('checkpoint.outdated');
  });
});
