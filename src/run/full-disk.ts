import type { FaultPoints } from '../environment.ts';
import { spillFaultPoints } from '../partitions/storage/spill-store.ts';

/** Fault injection: while it is full, no result can be written to disk. Other fault points are passed on. */
export class FullDisk implements FaultPoints {
  isFull = false;
  readonly #faults: FaultPoints;

  constructor(faults: FaultPoints) {
    this.#faults = faults;
  }

  reach(name: string, place?: Readonly<Record<string, unknown>>): void {
    if (this.isFull && name === spillFaultPoints.append) throw new NoSpaceError(place?.['file']);
    this.#faults.reach(name, place);
  }
}

/** Like the error of Node when a disk is full. */
class NoSpaceError extends Error {
  readonly code = 'ENOSPC';
  readonly syscall = 'write';

  constructor(file: unknown) {
    super(`ENOSPC: no space left on device, write${typeof file === 'string' ? ` '${file}'` : ''} (injected)`);
  }
}
