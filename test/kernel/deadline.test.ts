import { existsSync, mkdir, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setDeadline } from '../../src/deadline.ts';
import { systemEnvironment } from '../../src/environment.ts';
import { VirtualClock } from '../../src/testing/index.ts';

describe('a deadline', () => {
  /** A deadline of 100 ms, and what came of it. */
  function armed() {
    const clock = new VirtualClock();
    const expired: number[] = [];
    const disarm = setDeadline(clock, 100, () => expired.push(clock.now()));
    return { clock, expired, disarm };
  }

  it('expires once, when its time is over and not before', () => {
    const { clock, expired } = armed();
    clock.advance(99);
    expect(expired).toEqual([]);
    clock.advance(1);
    clock.advance(1_000);
    expect(expired).toEqual([100]);
  });

  it.each(['before its time', 'after it expired'])('disarmed %s does nothing more, and leaves no timer', (when) => {
    const { clock, expired, disarm } = armed();
    if (when === 'after it expired') clock.advance(100);
    const before = [...expired];
    disarm();
    disarm();
    clock.advance(1_000);
    expect([expired, clock.timerCount]).toEqual([before, 0]);
  });

  it.each([
    { turns: 1, what: 'the answer itself' },
    { turns: 2, what: 'what the answer woke' },
  ])('$what is heard first, although the timer has fired', ({ turns }) => {
    const { clock, expired, disarm } = armed();
    const answer = (left: number): unknown => (left === 0 ? disarm() : clock.setImmediate(() => answer(left - 1)));
    clock.setTimeout(() => answer(turns), 100);
    clock.advance(1_000);
    expect(expired).toEqual([]);
  });

  it('a thread that was busy hears what came meanwhile before it counts as late', async () => {
    const { clock } = systemEnvironment();
    const directory = join(tmpdir(), `kintsugi-deadline-${process.pid}`);
    rmSync(directory, { recursive: true, force: true });
    const outcome = await new Promise((resolve) => {
      const disarm = setDeadline(clock, 5, () => resolve('timed out'));
      mkdir(directory, () => {
        disarm();
        resolve('answered');
      });
      // Busy until the answer is there, and the time long over.
      const untilMs = clock.now() + 100;
      while (!existsSync(directory) || clock.now() < untilMs);
    });
    rmSync(directory, { recursive: true, force: true });
    expect(outcome).toBe('answered');
  });
});
