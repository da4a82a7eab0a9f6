import { awaitDrained } from '../../src/checkpoints/joint-drain.ts';
import { DrainAgreement } from '../../src/run/savepoints/drain-agreement.ts';
import { HandClock } from '../support/manual-cluster.ts';

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

/** Components that are to end together. */
class Components {
  readonly told: string[] = [];
  readonly clock = new HandClock();
  readonly agreement: DrainAgreement;
  readonly #answers: { readonly resolve: () => void; readonly reject: (cause: Error) => void }[] = [];

  constructor(count: number) {
    this.agreement = new DrainAgreement(count, () => Promise.resolve(void this.told.push('committed')));
    for (let at = 0; at < count; at++) {
      const answer = new Promise<void>((resolve, reject) => this.#answers.push({ resolve, reject }));
      awaitDrained(answer, this.agreement, {
        ...{ clock: this.clock, timeoutMs: 50, who: 'storage' },
        done: () => this.told.push(`${at} ends`),
        unstored: ({ reason, cause }) => this.told.push(`${at} goes on: ${cause?.message ?? reason}`),
        late: () => this.told.push(`${at} is stored late`),
      });
    }
  }

  async stored(at: number): Promise<void> {
    this.#answers[at]?.resolve();
    await settle();
  }

  async refused(at: number): Promise<void> {
    this.#answers[at]?.reject(new Error('disk full'));
    await settle();
  }

  take(): string[] {
    return this.told.splice(0);
  }
}

describe('the components of a drain', () => {
  it('DA1: the savepoint is committed once all are written', async () => {
    const { agreement, told } = new Components(2);
    const first = agreement.written();
    await settle();
    expect(told).toEqual([]);
    await Promise.all([first, agreement.written()]);
    expect(told).toEqual(['committed']);
  });

  it('DA1: one that gives up before rejects what waits for that', async () => {
    const { agreement, told } = new Components(2);
    const first = agreement.written();
    agreement.giveUp({ reason: 'storing', cause: new Error('disk full') });
    await expect(first).rejects.toThrow('disk full');
    await expect(agreement.written()).rejects.toThrow('disk full');
    expect(told).not.toContain('committed');
  });

  it('DA2: end once all are stored, and nobody can give up then', async () => {
    const them = new Components(2);
    await them.stored(1);
    expect(them.take()).toEqual([]);
    await them.stored(0);
    expect(them.take().sort()).toEqual(['0 ends', '1 ends']);
    them.agreement.giveUp({ reason: 'stopped' });
    them.clock.advance(1_000);
    await settle();
    expect(them.take()).toEqual([]);
  });

  it('DA2: all go on if one is refused: stored already, refused, or stored afterwards', async () => {
    const them = new Components(3);
    await them.stored(0);
    await them.refused(1);
    expect(them.take().sort()).toEqual(['0 goes on: disk full', '1 goes on: disk full', '2 goes on: disk full']);
    await them.stored(2);
    expect(them.take()).toEqual(['2 is stored late']);
  });

  it('DA2: all go on if one takes too long, and if the run ends', async () => {
    const [slow, over] = [new Components(2), new Components(2)];
    await slow.stored(0);
    slow.clock.advance(50);
    await settle();
    const why = 'No answer of storage within 50 ms';
    expect(slow.take().sort()).toEqual([`0 goes on: ${why}`, `1 goes on: ${why}`]);
    over.agreement.giveUp({ reason: 'stopped' });
    over.agreement.giveUp({ reason: 'storing', cause: new Error('too late') });
    await settle();
    expect(over.take().sort()).toEqual(['0 goes on: stopped', '1 goes on: stopped']);
    expect(over.clock.pendingCount).toBe(0);
  });
});
