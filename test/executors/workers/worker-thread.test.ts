import type { HeartbeatSettings } from '../../../src/actors/protocol/heartbeat.ts';
import { systemEnvironment } from '../../../src/environment.ts';
import { beat, Pulse } from '../../../src/executors/workers/pulse.ts';
import type { WorkerBoot } from '../../../src/executors/workers/worker-boot.ts';
import { type WorkerEnd, WorkerThread } from '../../../src/executors/workers/worker-thread.ts';
import type { ExecutorId } from '../../../src/ids.ts';
import { virtualEnvironment } from '../../../src/testing/index.ts';
import { protocolVersion } from '../../../src/version.ts';

/** Looks at a pulse as the main thread does, on its own clock, which may stop. */
function watched() {
  const theirs = virtualEnvironment();
  const ours = virtualEnvironment();
  const pulse = new Pulse(ours.clock);
  beat(pulse.memory, theirs.clock);
  /** Both live for so long; the worker may be in one call. */
  const pass = (ms: number, worker: 'free' | 'busy' = 'free'): number => {
    let silentMs = 0;
    for (let passedMs = 0; passedMs < ms; passedMs += Pulse.intervalMs) {
      ours.advance(Pulse.intervalMs);
      if (worker === 'free') theirs.advance(Pulse.intervalMs);
      silentMs = pulse.read();
    }
    return silentMs;
  };
  /** The whole process is stopped, or the machine sleeps: only time passes. */
  const stop = (ms: number): number => {
    ours.advance(ms);
    return pulse.read();
  };
  return { pass, stop };
}

describe('the pulse of a worker', () => {
  it('is silent for as long as the worker is in one call', () => {
    const { pass } = watched();
    expect(pass(2_000)).toBe(0);
    expect(pass(3_000, 'busy')).toBe(3_000);
    expect(pass(400)).toBe(0);
  });

  it.each([500, 900, 20_000])('WX2: blames no worker for the %d ms in which this thread was stalled, too', (ms) => {
    const { pass, stop } = watched();
    pass(2_000);
    expect(stop(ms)).toBeLessThanOrEqual(Pulse.intervalMs);
    expect(pass(400)).toBe(0);
  });

  it('WX2: goes on counting after a stall of this thread, so that repeated ones hide no loop', () => {
    const { pass, stop } = watched();
    pass(2_000);
    let silentMs = 0;
    for (let round = 0; round < 10; round++) {
      pass(Pulse.intervalMs, 'busy');
      silentMs = stop(5_000);
    }
    expect(silentMs).toBeGreaterThanOrEqual(10 * Pulse.intervalMs);
    expect(silentMs).toBeLessThanOrEqual(20 * Pulse.intervalMs);
  });
});

/** A module that a worker runs instead of the engine. */
function moduleOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Runs some code in a thread until it has ended. Returns how, and how much was heard of it by then. */
function ended(code: string): Promise<WorkerEnd & { readonly reports: number; readonly requests: number }> {
  const heartbeat: HeartbeatSettings = { intervalMs: 1_000, timeoutMs: 5_000, failedSends: 2 };
  let [reports, requests] = [0, 0];
  return new Promise((resolve) => {
    const thread = new WorkerThread({
      entry: moduleOf(code),
      resourceLimits: undefined,
      boot: {
        ...{ executor: 'worker-0' as ExecutorId, incarnation: 0, slots: 1, heartbeat },
        origin: { module: '', params: {} },
        outline: { name: 'job', vertices: [], edges: [] },
        options: {} as WorkerBoot['options'],
      },
      checks: { command: () => undefined, report: () => undefined },
      clock: systemEnvironment().clock,
      connected: ({ port }) => port.onMessage(({ type }) => void (type === 'message.invalid' && reports++)),
      stopping: () => {},
      ended: (_, end) => resolve({ ...end, reports, requests }),
    });
    thread.services.onMessage((said) => void (requests += said.length));
  });
}

describe('a thread that ends', () => {
  // Node delivers at most 1 000 messages of a port at a time; the news of the end comes after the first of them.
  const most = 5_000;

  it('WX1: has said all that it had sent: answers that were paid for, tasks that had finished', async () => {
    const { reports, requests, ...end } = await ended(`
      import { workerData } from 'node:worker_threads';
      const { line, services } = workerData;
      line.postMessage({ type: 'executor.connected', protocol: ${protocolVersion}, incarnation: 0, slots: 1 });
      for (let count = 0; count < ${most}; count++) {
        line.postMessage({ type: 'message.invalid', receiver: 'executor', message: '', problem: '' });
        services.postMessage([{}]);
      }
      process.exit(3);
    `);
    expect({ reports, requests }).toEqual({ reports: most, requests: most });
    expect(end).toMatchObject({ why: 'its thread ended by process.exit(3)', hasStarted: true });
  });

  it('WX1: tells why it could not start, even if it ends right after', async () => {
    const { startFailure } = await ended(`
      import { workerData } from 'node:worker_threads';
      for (let count = 0; count < ${most}; count++) workerData.line.postMessage({ type: 'worker.other' });
      workerData.line.postMessage({
        type: 'worker.startFailed',
        cause: { name: 'Error', message: 'no such table', stack: undefined, data: {}, cause: undefined },
      });
      process.exit(0);
    `);
    expect(startFailure?.message).toBe('no such table');
  });
});
