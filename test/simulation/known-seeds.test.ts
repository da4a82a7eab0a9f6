import { simulate } from '../../src/testing/index.ts';
import { deleteFiles } from './changing-file.ts';
import { drawJobAndFiles } from './drawn/drawn-job.ts';
import { withQuarantine } from './drawn/drawn-quarantine.ts';
import { drawRudeExtensions } from './rude-extensions.ts';
import { small } from './drawn/drawn-size.ts';
import { checkDeclarations } from './drawn/drawn-stream.ts';
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

/** Small streams with checkpoints that went wrong once, and what was wrong. */
const smallStreams: readonly (readonly [seed: number, why: string])[] = [
  [168, 'a drain that a task declined, because it was committing, ended the job instead of restarting the tasks'],
  [1019, 'dead letters were being prepared for a checkpoint when their task ended, which then had no state in it'],
  [1523, 'the same'],
  [2001, 'the same, with keyed state'],
  [3117, 'a savepoint began while a source reproduced what its consumers had read: another parallelism read it again'],
  [12843, 'a source that only ended again, as it had finished before the checkpoint, was said not to be deterministic'],
  [31409, 'a task that had finished before the checkpoint did not dismiss its input, and its producer waited for it'],
  [34163, 'dead letters were written while their sink was committing: the commit of a later checkpoint was lost'],
  [
    204052,
    'a result was released while it was reproduced from a checkpoint: the rest was compared with other elements',
  ],
  [409826, 'a restarted producer wrote the barrier of a savepoint to one of two consumers'],
  [411713, 'the same'],
  [502189, 'a producer that was behind its consumer wrote a barrier among what that skips: it was in no checkpoint'],
  [
    905851,
    'a checkpoint was aborted while a sink prepared: its state was written, without end, and its task never ended',
  ],
  [
    8705639,
    'a sink took longer to prepare than the next barrier took to come, and its task never got the end of its input',
  ],
];

describe('streams with checkpoints', () => {
  it.each(smallStreams)('small seed %i: %s', async (seed) => {
    const { history } = await simulateStream(seed, false, small);
    expect(history.events).toContainEqual(expect.objectContaining({ type: 'job.statusChanged', status: 'finished' }));
    checkDeclarations(history.events);
  });

  it('small seed 510621: a task began anew after the savepoint with which the run was to stop, and went on while others were taken', async () => {
    const { savepoint } = await simulateStream(510621, false, small);
    // It failed, and was taken again.
    expect(savepoint).toMatchObject({ outcome: 'taken', hasStopped: true });
  });

  it('seed 595: consumers of a blocking result continued from their checkpoint in a new one, which had another order', async () => {
    const { history } = await simulateStream(595);
    expect(history.events.map(({ type }) => type)).toContain('checkpoint.outdated');
  });
});
