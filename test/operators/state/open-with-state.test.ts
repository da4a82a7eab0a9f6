import type { CheckpointId } from '../../../src/ids.ts';
import { openWithState } from '../../../src/operators/state/open-with-state.ts';
import type { LoadedElsewhere } from '../../../src/operators/state/tables/state-table.ts';
import type { TaskRestore } from '../../../src/operators/state/task-state.ts';

/** A state whose tables were read to disk, and how often they were given back. */
function onDisk() {
  let released = 0;
  const table: LoadedElsewhere = {
    ...{ kind: 'elsewhere', runs: undefined, entries: () => [].values() },
    dispose: () => void released++,
  };
  const state = { input: undefined as never, chain: { kind: 'keyed', tables: [table] }, outputs: [] } as const;
  const read: TaskRestore = { checkpoint: 1 as CheckpointId, state };
  return { read, released: () => released };
}

const failing = (): Promise<never> => Promise.reject(new Error('no such result'));
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the state of a task', () => {
  it('is opened with it, and stays', async () => {
    const { read, released } = onDisk();
    expect(await openWithState(Promise.resolve(read), [Promise.resolve()], (given) => given)).toBe(read);
    expect(released()).toBe(0);
  });

  it.each<[string, (read: TaskRestore) => Promise<unknown>]>([
    ['cannot be opened', (read) => openWithState(read, [], failing)],
    ['waits in vain for something else', (read) => openWithState(Promise.resolve(read), [failing()], () => 'open')],
    [
      'does not wait for it any more',
      (read) =>
        openWithState(
          settled().then(() => read),
          [failing()],
          () => 'open',
        ),
    ],
  ])('goes if the task %s', async (_, open) => {
    const { read, released } = onDisk();
    await expect(open(read)).rejects.toThrow('no such result');
    await settled();
    expect(released()).toBe(1);
  });
});
