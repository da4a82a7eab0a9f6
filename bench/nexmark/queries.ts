import { type DataStream, Job, noRecord, type Sink, type Source, systemEnvironment } from 'kintsugi';
import { type Bid, eventAt, type NexmarkEvent } from './events.ts';

/** What arrived: how many records, and a sum over all of them. */
export interface Arrived {
  records: number;
  sum: number;
}

/** A query as a job, and the same as two loops. Each runs over the first `count` events. */
export interface Query {
  readonly name: string;
  readonly asJob: (count: number) => Promise<Arrived>;
  /** Handles each event before it makes the next. */
  readonly byRecord: (count: number) => Arrived;
  /** Makes the events of a batch, then handles them. */
  readonly byBatch: (count: number) => Arrived;
}

/** As many records as the engine puts into a batch. */
const batchSize = 1_024;

const isBid = (event: NexmarkEvent): event is Bid => event.kind === 'bid';

/** A bid in euro cents. */
const inEuro = (bid: Bid) => ({
  auction: bid.auction,
  bidder: bid.bidder,
  price: bid.price * 0.908,
  timeMs: bid.timeMs,
});

const isWatched = (bid: Bid): boolean => bid.auction % 123 === 0;
const priceOf = ({ auction, price }: Bid) => ({ auction, price });

/** Reads the first `count` events. */
function events(count: number): Source<NexmarkEvent> {
  return {
    name: 'nexmark',
    maxParallelism: 1,
    deterministic: true,
    open: (_context, _plan, from = 0) => {
      let at = from as number;
      return {
        position: () => at,
        read: (max) => {
          if (at === count) return null;
          const batch: NexmarkEvent[] = [];
          for (const end = Math.min(count, at + max); at < end; at++) batch.push(eventAt(at));
          return batch;
        },
        next: () => (at < count ? eventAt(at++) : noRecord),
        close: () => {},
      };
    },
  };
}

/** Adds up the records that arrive. */
function sumOf<In>(arrived: Arrived, valueOf: (record: In) => number): Sink<In> {
  return {
    name: 'sum',
    guarantee: 'at-least-once',
    open: () => ({
      write: (records) => {
        for (const record of records) arrived.sum += valueOf(record);
        arrived.records += records.length;
      },
      writeOne: (record) => {
        arrived.sum += valueOf(record);
        arrived.records++;
      },
      commit: () => {},
      abort: () => {},
    }),
  };
}

async function jobOf<Out>(
  count: number,
  query: (events: DataStream<NexmarkEvent>) => DataStream<Out>,
  valueOf: (record: Out) => number,
): Promise<Arrived> {
  const arrived: Arrived = { records: 0, sum: 0 };
  const job = Job.create('nexmark', { mode: 'streaming' });
  query(job.source('events', events(count))).sink('sum', sumOf(arrived, valueOf));
  await job.run({ environment: systemEnvironment({ freezeRecords: false }) }).result;
  return arrived;
}

const timeOf = ({ timeMs }: { readonly timeMs: number }): number => timeMs % 1_000;
const centsOf = ({ price }: { readonly price: number }): number => price;

/** Every event as it is. */
const q0: Query = {
  name: 'q0, pass-through',
  asJob: (count) => jobOf(count, (all) => all, timeOf),
  byRecord: (count) => {
    const arrived: Arrived = { records: 0, sum: 0 };
    for (let n = 0; n < count; n++) {
      arrived.sum += timeOf(eventAt(n));
      arrived.records++;
    }
    return arrived;
  },
  byBatch: (count) => {
    const arrived: Arrived = { records: 0, sum: 0 };
    for (let start = 0; start < count; start += batchSize) {
      const batch = batchAt(start, count);
      for (const event of batch) arrived.sum += timeOf(event);
      arrived.records += batch.length;
    }
    return arrived;
  },
};

/** Every bid, in another currency. */
const q1: Query = {
  name: 'q1, currency',
  asJob: (count) => jobOf(count, (all) => all.filter(isBid).map(inEuro), centsOf),
  byRecord: (count) => {
    const arrived: Arrived = { records: 0, sum: 0 };
    for (let n = 0; n < count; n++) {
      const event = eventAt(n);
      if (!isBid(event)) continue;
      arrived.sum += centsOf(inEuro(event));
      arrived.records++;
    }
    return arrived;
  },
  byBatch: (count) => {
    const arrived: Arrived = { records: 0, sum: 0 };
    for (let start = 0; start < count; start += batchSize) {
      const bids: ReturnType<typeof inEuro>[] = [];
      for (const event of batchAt(start, count)) if (isBid(event)) bids.push(inEuro(event));
      for (const bid of bids) arrived.sum += centsOf(bid);
      arrived.records += bids.length;
    }
    return arrived;
  },
};

/** The bids for a few auctions. */
const q2: Query = {
  name: 'q2, filter',
  asJob: (count) => jobOf(count, (all) => all.filter(isBid).filter(isWatched).map(priceOf), centsOf),
  byRecord: (count) => {
    const arrived: Arrived = { records: 0, sum: 0 };
    for (let n = 0; n < count; n++) {
      const event = eventAt(n);
      if (!isBid(event) || !isWatched(event)) continue;
      arrived.sum += centsOf(priceOf(event));
      arrived.records++;
    }
    return arrived;
  },
  byBatch: (count) => {
    const arrived: Arrived = { records: 0, sum: 0 };
    for (let start = 0; start < count; start += batchSize) {
      const bids: ReturnType<typeof priceOf>[] = [];
      for (const event of batchAt(start, count)) if (isBid(event) && isWatched(event)) bids.push(priceOf(event));
      for (const bid of bids) arrived.sum += centsOf(bid);
      arrived.records += bids.length;
    }
    return arrived;
  },
};

function batchAt(start: number, count: number): NexmarkEvent[] {
  const batch: NexmarkEvent[] = [];
  for (let n = start, end = Math.min(count, start + batchSize); n < end; n++) batch.push(eventAt(n));
  return batch;
}

export const queries: readonly Query[] = [q0, q1, q2];
