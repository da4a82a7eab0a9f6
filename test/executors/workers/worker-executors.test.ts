import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workers } from '../../../src/api/workers.ts';
import { systemEnvironment } from '../../../src/environment.ts';
import type { WorkerRunOptions } from '../../../src/executors/workers/worker-boot.ts';
import { KeptPlaces } from '../../../src/executors/workers/kept-places.ts';
import { WorkerExecutors } from '../../../src/executors/workers/worker-executors.ts';
import { workerThreads } from '../../../src/executors/workers/worker-threads.ts';
import type { ExecutorId } from '../../../src/ids.ts';
import { encodeOwner, ownerOf } from '../../../src/partitions/claims/owner-note.ts';
import { systemProcesses } from '../../../src/partitions/claims/process-table.ts';
import { protocolVersion } from '../../../src/version.ts';

/** What a worker runs instead of the engine: it offers a slot once it is told to, and then ends when it is terminated. */
const readyWhenTold = `data:text/javascript,${encodeURIComponent(`
  import { workerData } from 'node:worker_threads';
  const { line } = workerData;
  line.on('message', () => {});
  const ready = new Int32Array(workerData.options.ready);
  const timer = setInterval(() => {
    if (Atomics.load(ready, 0) === 0) return;
    clearInterval(timer);
    line.postMessage({ type: 'executor.connected', protocol: ${protocolVersion}, incarnation: 0, slots: 1 });
  }, 5);
`)}`;

/** Workers of a run that may be over; and what the run heard of them. */
function started(spillDirectory: string) {
  const ready = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const heard: string[] = [];
  let isNeeded = true;
  let hasEnded = (): void => {};
  const ended = new Promise<void>((resolve) => (hasEnded = resolve));
  const executors = new WorkerExecutors({
    threads: workerThreads({ ...workers({ count: 1, module: 'none.js' }), entry: readyWhenTold }),
    slots: 1,
    origin: { module: '', params: {} },
    outline: { name: 'job', vertices: [], edges: [] },
    heartbeat: { intervalMs: 1_000, timeoutMs: 5_000, failedSends: 2 },
    options: { ready, spillDirectory, cancellationTimeoutMs: 1_000 } as unknown as WorkerRunOptions,
    checks: { command: () => undefined, report: () => undefined },
    clock: systemEnvironment().clock,
    startTimeoutMs: 60_000,
    keptPlaces: new KeptPlaces({ exchanges: [{ keepResults: { directory: join(spillDirectory, 'kept') } }] }),
    dataPlane: { dispose: () => Promise.resolve() } as never,
    services: {
      accept: () => {},
      lost: (executor) => (hasEnded(), void heard.push(`${executor} ended`)),
      close: () => Promise.resolve(),
    },
    busy: () => {},
    isNeeded: () => isNeeded,
    failed: (cause) => void heard.push(cause.message),
  });
  const connected = new Promise<void>((resolve) => {
    const accept = (executor: ExecutorId): void => {
      heard.push(`${executor} accepted`);
      resolve();
    };
    executors.connect(accept, () => {});
  });
  return {
    executors,
    heard,
    ended,
    connected,
    beReady: () => void Atomics.store(new Int32Array(ready), 0, 1),
    end: () => {
      isNeeded = false;
    },
  };
}

describe('workers of a run', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'worker-executors-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('are accepted when they are ready', async () => {
    const { executors, heard, connected, beReady } = started(directory);
    beReady();
    await connected;
    expect([heard, executors.names]).toEqual([['worker-0 accepted'], ['worker-0']]);
    await executors.dispose();
  });

  it('WX1: one that is ready after the end of its run is not accepted, so that its end is no loss, and not replaced', async () => {
    const { executors, heard, ended, beReady, end } = started(directory);
    end();
    beReady();
    await ended;
    expect([heard, executors.names, [...executors.started()]]).toEqual([['worker-0 ended'], [], []]);
    await executors.dispose();
    expect(heard).toEqual(['worker-0 ended']);
  });

  it('leave nothing if their run is over while their directories are being made', async () => {
    const { executors } = started(directory);
    await executors.dispose();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('WX3: what the workers of dead processes spilled is deleted', async () => {
    const orphan = join(directory, 'kintsugi-orphan');
    mkdirSync(orphan);
    // No process has it.
    const processes = systemProcesses();
    writeFileSync(join(orphan, 'owner'), encodeOwner({ ...ownerOf(processes), pid: 2 ** 22 + 1 }));
    const { executors, connected, beReady } = started(directory);
    beReady();
    await connected;
    while (existsSync(orphan)) await new Promise(setImmediate);
    await executors.dispose();
  });
});
