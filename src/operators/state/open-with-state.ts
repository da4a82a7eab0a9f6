import { releaseTables } from './state-tables.ts';
import type { TaskRestore } from './task-state.ts';

type Read = TaskRestore | undefined;

/**
 * Opens a task once its state is read and all else is there that it waits for. If something fails, what was read for it goes, also
 * if that is there later: a state on disk would stay there until the run is over.
 */
export async function openWithState<Opened>(
  reading: Read | Promise<Read>,
  awaited: readonly Promise<unknown>[],
  open: (read: Read) => Opened | Promise<Opened>,
): Promise<Opened> {
  try {
    const [read] = await Promise.all([reading, ...awaited]);
    return await open(read);
  } catch (error) {
    void Promise.resolve(reading).then(release, () => {});
    throw error;
  }
}

function release(read: Read): void {
  if (read !== undefined) releaseTables(read.state.chain);
}
