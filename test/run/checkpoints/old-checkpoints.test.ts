import type { RunId } from '../../../src/ids.ts';
import { OldCheckpoints, type Removal } from '../../../src/run/checkpoints/old-checkpoints.ts';
import { HandClock } from '../../support/manual-cluster.ts';

const limitMs = 1_000;
const never = (): Promise<never> => new Promise(() => {});
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
};

function tidying(removals: readonly Removal[]) {
  const clock = new HandClock();
  const warnings: string[] = [];
  const logger = { warn: (message: string) => void warnings.push(message) } as never;
  const old = new OldCheckpoints({ run: 'r' as RunId, environment: { clock, logger }, cancellationTimeoutMs: limitMs });
  let left: readonly string[] | undefined;
  void old.tidy(removals).then((scopes) => {
    left = scopes;
  });
  return { clock, warnings, left: () => left };
}

const named = (count: number, steps: (at: number) => Removal['steps']): Removal[] =>
  Array.from({ length: count }, (_, at) => ({ scope: `s${at}`, steps: steps(at) }));

describe('the removal of old checkpoints', () => {
  it('OC1: of many series on a storage that never answers takes one limit, and begins nothing afterwards', async () => {
    let begun = 0;
    const it = tidying(named(100, () => [() => (begun++, never())]));
    await turns();
    const atOnce = begun;
    expect(atOnce).toBeLessThan(100);
    expect(it.left()).toBeUndefined();
    it.clock.advance(limitMs);
    await turns();
    expect(it.left()).toHaveLength(100);
    expect(it.warnings).toEqual([
      'Old checkpoints of s0 and 99 more stay where they are: No answer of the storage within 1000 ms',
    ]);
    expect(begun).toBe(atOnce);
    expect(it.clock.pendingCount).toBe(0);
  });

  it('OC1: several at once: a silent series does not keep the others from their turn', async () => {
    const removed: number[] = [];
    const it = tidying(named(50, (at) => [at === 3 ? never : () => Promise.resolve(void removed.push(at))]));
    await turns();
    expect(removed).toHaveLength(49);
    it.clock.advance(limitMs);
    await turns();
    expect(it.left()).toEqual(['s3']);
  });

  it('OC1: the limit begins anew with each answer', async () => {
    const answers: (() => void)[] = [];
    const it = tidying(named(40, () => [() => new Promise<void>((resolve) => void answers.push(resolve))]));
    for (let answered = 0; answered < 40; answered++) {
      await turns();
      it.clock.advance(limitMs - 1);
      answers.shift()?.();
    }
    await turns();
    expect([it.left(), it.warnings, it.clock.pendingCount]).toEqual([[], [], 0]);
  });

  it('OC2: a series of which a step failed is left; its next steps have their turn', async () => {
    const done: string[] = [];
    const step = (name: string) => () => Promise.resolve(void done.push(name));
    const failing = (): Promise<never> => Promise.reject(new Error('read-only'));
    const it = tidying([
      { scope: 'a', steps: [step('a1'), failing, step('a3')] },
      { scope: 'b', steps: [step('b1')] },
    ]);
    await turns();
    expect(done.sort()).toEqual(['a1', 'a3', 'b1']);
    expect(it.left()).toEqual(['a']);
    expect(it.warnings).toEqual(['Old checkpoints of a stay where they are: read-only']);
  });

  it('OC2: nothing to remove is nothing left', async () => {
    const it = tidying([]);
    await turns();
    expect([it.left(), it.warnings]).toEqual([[], []]);
  });
});
