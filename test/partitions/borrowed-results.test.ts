import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, RunId } from '../../src/ids.ts';
import type { StoredResult } from '../../src/journal/stored-result.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { messageDataPort } from '../../src/partitions/remote/message-data-port.ts';
import { RemoteResults } from '../../src/partitions/remote/remote-results.ts';
import { ResultServer } from '../../src/partitions/remote/result-server.ts';
import type { Retention } from '../../src/partitions/retained/memory-room.ts';
import { RetainedResultPartition } from '../../src/partitions/retained/retained-result-partition.ts';
import type { ResultPartition } from '../../src/partitions/result-partition.ts';
import { DurableStore } from '../../src/partitions/storage/durable-store.ts';
import { FileSpillStore } from '../../src/partitions/storage/file-spill-store.ts';
import { type SpillStore, spillFaultPoints } from '../../src/partitions/storage/spill-store.ts';
import { faultPlan } from '../../src/testing/fault-plan.ts';
import { barrier, idle, spelled, spelledSteps, type Step, watermark, writeSteps } from '../support/marks.ts';
import { Reading, somePartition } from '../support/partition-harness.ts';
import { existing, owner, readingExecutor } from '../support/remote-exchange.ts';

const steps: readonly Step[] = [2, barrier(1), idle, 30, watermark(5), 1, barrier(2)];

describe('a complete result of another executor, in a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kintsugi-'));
  const closings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closings.splice(0)) await close();
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Writes a result; counts the reads of its owner. */
  const written = (retention: Retention, { memoryBytes = 0, isDurable = false } = {}) => {
    const faults = faultPlan();
    let reads = 0;
    faults.call(spillFaultPoints.read, () => reads++, { times: Number.POSITIVE_INFINITY });
    const store: SpillStore = isDurable
      ? new DurableStore({ directory: join(directory, 'durable'), run: 'run' as RunId, faults })
      : new FileSpillStore({ directory, faults });
    closings.push(() => store.dispose());
    const partition = new RetainedResultPartition({
      id: somePartition,
      exchange: exchangeTypes.reliable,
      subpartitionCount: 2,
      retention,
      budget: new ByteBudget(memoryBytes),
      spillStore: store,
      sync: 'never',
      freeze: true,
    });
    writeSteps(partition, steps, () => {}, 1);
    return {
      partition,
      reads: () => reads,
      finish: () => new Promise<unknown>((resolve) => partition.finish(resolve)),
    };
  };

  const connected = (partition: ResultPartition) => {
    const { port1, port2 } = new MessageChannel();
    const remote = new RemoteResults({ freeze: true });
    const server = new ResultServer(existing(() => partition));
    remote.connect(owner, messageDataPort(port1));
    server.serve(readingExecutor, messageDataPort(port2));
    closings.push(
      () => remote.close(),
      () => server.close(),
    );
    port1.ref();
    return { remote, source: remote.source(somePartition, owner) };
  };

  /** Until a reading is over. */
  const over = async (reading: Reading): Promise<Reading> => {
    while (!reading.isComplete && reading.error === undefined) await new Promise((resolve) => setImmediate(resolve));
    return reading;
  };

  it.each([
    ['spilled', false],
    ['that outlives the process', true],
  ])('%s: is read by its reader itself, from any record, with its marks', async (_, isDurable) => {
    const { partition, reads, finish } = written('disk', { isDurable });
    expect(await finish()).toBeUndefined();
    const { source } = connected(partition);
    for (const from of [0, 1, 2, 3, 32, 33, 40]) {
      const reading = await over(new Reading(source.read(1, from), 20));
      expect(spelled(reading.elements)).toEqual(spelledSteps(steps, from));
      expect([reading.isComplete, reading.error]).toEqual([true, undefined]);
      const [first] = reading.records;
      expect(Object.isFrozen(first)).toBe(true);
    }
    expect(reads()).toBe(0);
  });

  it('adopted from an earlier run, which wrote it in another attempt: is read by its reader itself', async () => {
    const place = join(directory, 'adopted');
    const partitionOf = (attempt: number, store: DurableStore, stored?: ReturnType<DurableStore['adopt']>) =>
      new RetainedResultPartition({
        id: { ...somePartition, attempt: attempt as AttemptNumber },
        exchange: exchangeTypes.reliable,
        subpartitionCount: 2,
        retention: 'disk',
        budget: new ByteBudget(0),
        spillStore: store,
        sync: 'checkpoint',
        freeze: true,
        isReproducible: true,
        ...(stored && { stored }),
      });
    const before = new DurableStore({ directory: place, run: 'before' as RunId });
    const written = partitionOf(3, before);
    writeSteps(written, steps, () => {}, 1);
    await new Promise((resolve) => written.finish(resolve));
    const stored = written.stored() as StoredResult;
    before.end(false);
    written.release();
    await before.dispose();
    const store = new DurableStore({ directory: place, run: 'now' as RunId });
    closings.push(() => store.dispose());
    const { source } = connected(partitionOf(0, store, store.adopt(stored)));
    const reading = await over(new Reading(source.read(1), 20));
    expect([reading.error, reading.isComplete]).toEqual([undefined, true]);
    // A checkpoint of this run may have the number of one of the earlier run.
    const isBarrier = (element: unknown): boolean => String(element).startsWith('barrier');
    expect(spelledSteps(steps).some(isBarrier)).toBe(true);
    expect(spelled(reading.elements)).toEqual(spelledSteps(steps).filter((element) => !isBarrier(element)));
  });

  it('gives no element without a credit', async () => {
    const { partition, finish } = written('disk');
    await finish();
    const { source } = connected(partition);
    const reading = new Reading(source.read(1), 1);
    while (reading.elements.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(spelled(reading.elements)).toEqual([0, 1]);
    reading.request(1);
    while (reading.elements.length === 1) await new Promise((resolve) => setImmediate(resolve));
    expect(spelled(reading.elements)).toEqual([0, 1, 'barrier 1']);
    reading.stop();
  });

  it('comes from its owner while it is incomplete, or if a part of it is only in memory', async () => {
    const incomplete = written('disk');
    const reading = new Reading(connected(incomplete.partition).source.read(1), 20);
    while (reading.elements.length < 7) await new Promise((resolve) => setImmediate(resolve));
    await incomplete.finish();
    expect(spelled((await over(reading)).elements)).toEqual(spelledSteps(steps));
    const partly = written('memory-then-disk', { memoryBytes: 500 });
    await partly.finish();
    expect(partly.partition.statistics().memoryBytes).toBeGreaterThan(0);
    expect(partly.partition.statistics().spilledBytes).toBeGreaterThan(0);
    const second = await over(new Reading(connected(partly.partition).source.read(1), 20));
    expect(spelled(second.elements)).toEqual(spelledSteps(steps));
  });

  it('is lost if its file was removed, or is damaged', async () => {
    const damage: ((partition: ResultPartition, file: string) => void)[] = [
      (_partition, file) => rmSync(file),
      (_partition, file) => truncateSync(file, 60),
    ];
    for (const apply of damage) {
      const { partition, finish } = written('disk');
      await finish();
      const { source } = connected(partition);
      const [file] = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
        (entry) => entry.isFile() && entry.name.includes('part'),
      );
      expect(file).toBeDefined();
      apply(partition, join(file?.parentPath ?? '', file?.name ?? ''));
      const reading = await over(new Reading(source.read(1), 20));
      expect(reading.error).toBeInstanceOf(PartitionLostError);
      for (const close of closings.splice(0).toReversed()) await close();
    }
  });

  it('RV3: fails its readers at once if its owner is lost', async () => {
    const { partition, finish } = written('disk');
    await finish();
    const { remote, source } = connected(partition);
    const reading = new Reading(source.read(1), 1);
    while (reading.elements.length === 0) await new Promise((resolve) => setImmediate(resolve));
    remote.lost(owner, 'it was killed');
    expect(reading.error).toBeInstanceOf(PartitionLostError);
  });
});
