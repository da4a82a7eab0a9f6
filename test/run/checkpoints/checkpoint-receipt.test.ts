import type { JobEvent } from '../../../src/actors/job-event.ts';
import type { CheckpointId, ComponentId, RegionId } from '../../../src/ids.ts';
import { ReceiptBook } from '../../../src/run/folds/receipt-book.ts';
import { folded } from '../../support/folded.ts';
import { shape } from '../folds/told.ts';

const about = (atMs: number, checkpoint: number) =>
  ({
    atMs,
    component: 0 as ComponentId,
    head: 'a[0]',
    kind: 'checkpoint',
    checkpoint: checkpoint as CheckpointId,
  }) as const;

const completed = (atMs: number, checkpoint: number, bytes: number, referencedBytes: number): JobEvent => ({
  ...{ type: 'checkpoint.completed', ...about(atMs, checkpoint), durationMs: 5, alignmentMs: 0, tasks: [] },
  ...{ bytes, referencedBytes },
});
const failed = (atMs: number, checkpoint: number): JobEvent => ({
  ...{ type: 'checkpoint.failed', ...about(atMs, checkpoint), reason: 'expired', durationMs: 5, missing: [] },
});
const restored = (atMs: number, region: number, bytes: number): JobEvent => ({
  ...{ type: 'checkpoint.restored', ...about(atMs, 2), region: region as RegionId, taskCount: 2, bytes },
});
const changed = (atMs: number, region: number, state: 'initializing' | 'running'): JobEvent =>
  ({ type: 'region.stateChanged', atMs, region: region as RegionId, state }) as never;

const receiptOf = (...events: readonly JobEvent[]) => folded(new ReceiptBook(shape), events);

describe('the checkpoints of a receipt', () => {
  it('are absent if there was none', () => {
    const receipt = receiptOf(changed(1, 0, 'running'));
    expect(receipt.checkpoints).toBeUndefined();
    expect(receipt.toString()).not.toContain('checkpoint');
  });

  it('are counted, with the bytes that they wrote themselves', () => {
    const receipt = receiptOf(completed(10, 1, 3_000, 0), failed(20, 2), completed(30, 3, 4_000, 2_500));
    expect(receipt.checkpoints).toEqual({
      ...{ completed: 2, failed: 1, bytesWritten: 4_500 },
      ...{ restored: 0, bytesRead: 0, longestRestoreMs: 0 },
    });
    expect(receipt.toString()).toContain('\n  checkpoints: 2 completed, 1 failed, 4.50 kB written');
    expect(receipt.toString()).not.toContain('continued from');
  });

  it('say what a restart read, and the longest time from the deployment of a region until it ran', () => {
    const receipt = receiptOf(
      ...[completed(10, 2, 9_000, 0), restored(20, 0, 5_000), restored(21, 1, 4_000)],
      ...[changed(22, 0, 'initializing'), changed(24, 1, 'running'), changed(32, 0, 'running')],
      // It ran before: that is no restore.
      changed(99, 0, 'running'),
    );
    expect(receipt.checkpoints).toMatchObject({ restored: 2, bytesRead: 9_000, longestRestoreMs: 12 });
    expect(receipt.toString()).toContain(
      '\n  2 regions continued from checkpoints: 9.00 kB read, at most 12.0 ms to running',
    );
  });
});
