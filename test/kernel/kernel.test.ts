import { assert } from '../../src/assert.ts';
import { noFaults, silentLogger, systemEnvironment } from '../../src/environment.ts';
import { type AttemptNumber, type PartitionId, resultPartitionKey } from '../../src/ids.ts';

describe('the id of a result partition', () => {
  it('is one key per partition and attempt', () => {
    const key = (partition: number, attempt: number) =>
      resultPartitionKey({ partition: partition as PartitionId, attempt: attempt as AttemptNumber });
    expect(key(12, 3)).toBe('12#3');
    expect(new Set([key(1, 23), key(12, 3), key(1, 2), key(2, 1)]).size).toBe(4);
  });
});

describe('assertions', () => {
  it.each([true, 1, 'x', {}])('%p passes', (condition) => {
    expect(() => assert(condition, 'no')).not.toThrow();
  });

  it.each([false, 0, '', null, undefined])('%p fails: an illegal state', (condition) => {
    expect(() => assert(condition, 'the slots add up')).toThrow(
      expect.objectContaining({ code: 'ILLEGAL_STATE', message: 'the slots add up' }),
    );
  });
});

describe('the environment of production', () => {
  const before = process.env['NODE_ENV'];
  afterEach(() => {
    process.env['NODE_ENV'] = before;
  });

  it.each([
    { mode: 'production', freezes: false },
    { mode: 'development', freezes: true },
    { mode: 'test', freezes: true },
  ])('freezes records in $mode: $freezes', ({ mode, freezes }) => {
    process.env['NODE_ENV'] = mode;
    expect(systemEnvironment().freezeRecords).toBe(freezes);
    expect(systemEnvironment({ freezeRecords: !freezes }).freezeRecords).toBe(!freezes);
  });

  it('uses the given parts and the machine’s for the rest', () => {
    const random = { next: () => 0.25 };
    const environment = systemEnvironment({ random });
    expect(environment.random).toBe(random);
    expect(environment.logger).toBe(silentLogger);
    expect(environment.faults).toBe(noFaults);
    expect(() => environment.faults.reach('anything', { at: 1 })).not.toThrow();
  });

  it('has a clock that does not go back, and random numbers in [0, 1)', () => {
    const { clock, random } = systemEnvironment();
    const instants = Array.from({ length: 100 }, () => clock.now());
    expect(instants).toEqual(instants.toSorted((a, b) => a - b));
    for (let draw = 0; draw < 100; draw++) {
      const number = random.next();
      expect(number >= 0 && number < 1).toBe(true);
    }
  });

  it('sets and clears timers of the machine', () => {
    jest.useFakeTimers();
    try {
      const { clock } = systemEnvironment();
      const ran: string[] = [];
      clock.setTimeout(() => ran.push('late'), 100);
      clock.clearTimeout(clock.setTimeout(() => ran.push('never'), 50));
      clock.setImmediate(() => ran.push('soon'));
      jest.advanceTimersByTime(99);
      expect(ran).toEqual(['soon']);
      jest.advanceTimersByTime(1);
      expect(ran).toEqual(['soon', 'late']);
    } finally {
      jest.useRealTimers();
    }
  });
});
