import type { CheckpointId } from '../../../src/ids.ts';
import { StateReader } from '../../../src/operators/state/state-reader.ts';
import type { WrittenHandle } from '../../../src/operators/state/state-handle.ts';
import type { TaskState } from '../../../src/operators/state/task-state.ts';
import { memoryCheckpoints } from '../../../src/partitions/checkpoints/checkpoint-storages.ts';
import { packData } from '../../../src/partitions/records/packed-data.ts';

const checkpoint = 1 as CheckpointId;
const empty: TaskState = { input: undefined as never, chain: { kind: 'keyed', tables: [] }, outputs: [] };
const handleOf = (task: number): WrittenHandle => ({
  ...{ kind: 'stored', location: `${task}`, offset: 0, bytes: 1, crc: 0 },
});
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A storage that answers when it is told to. */
function slowStorage() {
  const open = new Map<string, () => void>();
  const asked: string[] = [];
  const storage = Object.assign(memoryCheckpoints(), {
    readChunk: (location: string) => {
      asked.push(location);
      return new Promise<Uint8Array>((resolve) => open.set(location, () => resolve(packData([empty]))));
    },
  });
  return { storage, asked, answer: (task: number): void => open.get(`${task}`)?.() };
}

describe('the states that the tasks of an executor read', () => {
  it('are read four at a time, in the order in which they were asked for', async () => {
    const { storage, asked, answer } = slowStorage();
    const reader = new StateReader(storage);
    const { signal } = new AbortController();
    const reads = Array.from({ length: 10 }, (_, task) =>
      Promise.resolve(reader.read(checkpoint, handleOf(task), signal)),
    );
    await settled();
    expect(asked).toEqual(['0', '1', '2', '3']);
    answer(2);
    await settled();
    expect(asked).toEqual(['0', '1', '2', '3', '4']);
    for (let task = 0; task < 10; task++) {
      answer(task);
      await settled();
      expect(asked.length).toBeLessThanOrEqual(task + 6);
    }
    expect(await Promise.all(reads)).toHaveLength(10);
    expect(asked).toEqual(Array.from({ length: 10 }, (_, task) => `${task}`));
  });

  it('of tasks that are aborted make room for the others, though the storage does not answer', async () => {
    const { storage, asked, answer } = slowStorage();
    const reader = new StateReader(storage);
    const aborted = new AbortController();
    const given = Array.from({ length: 6 }, (_, task) =>
      Promise.resolve(reader.read(checkpoint, handleOf(task), aborted.signal)),
    );
    const outcomes = Promise.allSettled(given);
    const other = reader.read(checkpoint, handleOf(6), new AbortController().signal);
    await settled();
    aborted.abort(new Error('it restarts'));
    expect((await outcomes).map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'rejected'));
    await settled();
    expect(asked).toEqual(['0', '1', '2', '3', '6']);
    answer(6);
    expect(await other).toMatchObject({ checkpoint, state: { outputs: [] } });
  });

  it('of a task that is aborted before its turn are not waited for, and their turn passes on', async () => {
    const { storage, asked, answer } = slowStorage();
    const reader = new StateReader(storage);
    const { signal } = new AbortController();
    const read = (task: number, until = signal) => Promise.resolve(reader.read(checkpoint, handleOf(task), until));
    const others = [0, 1, 2, 3].map((task) => read(task));
    const aborted = new AbortController();
    const outcomes: string[] = [];
    read(4, aborted.signal).catch((error: unknown) => outcomes.push((error as Error).message));
    const behind = read(5);
    await settled();
    aborted.abort(new Error('it restarts'));
    await settled();
    expect(outcomes).toEqual(['it restarts']);
    answer(0);
    await settled();
    expect(asked).toEqual(['0', '1', '2', '3', '5']);
    for (const task of [1, 2, 3, 5]) answer(task);
    expect(await Promise.all([...others, behind])).toHaveLength(5);
  });

  it('that came with the message are there at once', () => {
    const reader = new StateReader(undefined);
    const read = reader.read(checkpoint, { kind: 'inline', state: empty }, new AbortController().signal);
    expect(read).toEqual({ checkpoint, state: empty });
  });
});
