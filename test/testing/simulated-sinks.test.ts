import type { AttemptNumber, CheckpointId } from '../../src/ids.ts';
import { Moments, OwnTimers } from '../../src/testing/checkpoints/moments.ts';
import { SimulatedSavepoint } from '../../src/testing/checkpoints/simulated-savepoint.ts';
import { SinkLedger } from '../../src/testing/checkpoints/sink-ledger.ts';
import { seededRandom, virtualEnvironment } from '../../src/testing/index.ts';

const attemptOf = (attempt: number, before = 0) => ({
  ...{ attempt: (before + attempt) as AttemptNumber, attemptOfRun: attempt as AttemptNumber },
  ...{ task: 'out[0]', subtask: 0, nowMs: () => 0 },
});

describe('the ledger of a transactional sink', () => {
  const begun = () => {
    const ledger = new SinkLedger('out', new Moments());
    const writer = ledger.open(attemptOf(0), undefined);
    void writer.write([1]);
    return { ledger, writer, prepared: writer.prepareCheckpoint?.() as never };
  };

  it('notes what is prepared with the attempt that the events of the run name', () => {
    const ledger = new SinkLedger('out', new Moments());
    const ofEarlierProcesses = 10;
    ledger.open(attemptOf(0, ofEarlierProcesses), undefined).prepareCheckpoint?.();
    expect(ledger.noted).toMatchObject([{ sink: 'out', task: 'out[0]', attempt: 0, committedMs: undefined }]);
  });

  it('has nothing to say of a sink that commits what it has prepared, and goes on behind it', () => {
    const { ledger, prepared } = begun();
    ledger.commitPrepared(prepared);
    const next = ledger.open(attemptOf(1), prepared);
    void next.write([2]);
    void next.commit();
    expect([ledger.problems(true), [...ledger.committed]]).toEqual([[], [['0', [1, 2]]]]);
  });

  it('K6: a sink that goes on behind what is not committed', () => {
    const { ledger, prepared } = begun();
    ledger.open(attemptOf(1), prepared);
    expect(ledger.problems(false)).toEqual(['K6: out[0]#1 continues before 0 of 0 is committed']);
  });

  it('K6: one that commits what it has not prepared', () => {
    const { ledger, prepared } = begun();
    ledger.commitPrepared({ ...(prepared as object), number: 7 } as never);
    expect(ledger.problems(false)).toEqual(['K6: out[0]#0 commits 7, which it has not prepared']);
  });

  it('K7: one that has something pending when the job has finished', () => {
    const { ledger, writer } = begun();
    void writer.commit();
    expect(ledger.problems(false)).toEqual([]);
    expect(ledger.problems(true)).toEqual(['K7: out[0]#0 leaves transaction 0 pending']);
  });
});

describe('K9: a savepoint that fails', () => {
  const piece = { scope: 'savepoint', checkpoint: 1 as CheckpointId, name: 'map.0' };

  const failing = async (error: Error, leaves: boolean): Promise<string[]> => {
    const { clock } = virtualEnvironment();
    const drawn = { atMs: 1, stops: false, drains: false, parallelism: 1 };
    const savepoint = new SimulatedSavepoint(drawn, clock, seededRandom(1));
    const moments = new Moments();
    const run = {
      status: 'running' as 'running' | 'finished',
      savepoint: async () => {
        await savepoint.open().write(piece, [Uint8Array.of(1)]);
        if (!leaves) savepoint.remove();
        run.status = 'finished';
        throw error;
      },
    };
    savepoint.take(run as never, new OwnTimers(clock), moments, 1);
    clock.advance(1);
    while (savepoint.outcome === 'not taken') await Promise.resolve();
    return savepoint.problems();
  };

  const refused = Object.assign(new Error('a task restarts'), { code: 'SAVEPOINT_FAILED' });

  it('leaves nothing, and says so by its error', async () => {
    expect(await failing(refused, false)).toEqual([]);
  });

  it('is wrong if it leaves a file', async () => {
    expect(await failing(refused, true)).toEqual([
      expect.stringMatching(/^K9: a savepoint that was not taken left savepoint\/.*map\.0/),
    ]);
  });

  it('is wrong if its error is another one', async () => {
    expect(await failing(new Error('undefined is not a function'), false)).toEqual([
      'K9: the savepoint failed: undefined is not a function',
    ]);
  });

  it.each([
    [1, 5],
    [2, 5],
    [4, 2],
    [11, 0],
  ])(
    'is no more to be drained, of ten restarts, if %i components restart each time, after %i times',
    async (components, most) => {
      const { clock } = virtualEnvironment();
      const drawn = { atMs: 1, stops: true, drains: true, parallelism: 1 };
      const savepoint = new SimulatedSavepoint(drawn, clock, seededRandom(1));
      let drains = 0;
      const stopWithSavepoint = (): Promise<never> => {
        drains++;
        return Promise.reject(refused);
      };
      const run = { status: 'running', stopWithSavepoint };
      savepoint.take(run as never, new OwnTimers(clock), new Moments(), components);
      for (let turn = 0; turn < 100; turn++) {
        clock.advance(20);
        await Promise.resolve();
      }
      expect(drains).toBe(most);
    },
  );
});
