import { open } from 'node:fs/promises';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { type Airport, flightsFile } from './flights-job.ts';

/** The same result without the engine, by one loop over the whole file: the job's output is checked against it. */
export async function singleLoop(): Promise<Airport[]> {
  const handle = await open(flightsFile);
  try {
    const { size } = await handle.stat();
    const file = {
      byteLength: size,
      slice: async (start: number, end = size): Promise<ArrayBuffer> => {
        const bytes = new ArrayBuffer(end - start);
        await handle.read(new Uint8Array(bytes), 0, end - start, start);
        return bytes;
      },
    };
    const rows = (await parquetReadObjects({ file, compressors, columns: ['origin', 'delay'] })) as unknown as {
      origin: string;
      delay: bigint;
    }[];
    const totals = new Map<string, { flights: number; sum: number; worst: number }>();
    for (const { origin, delay: wideDelay } of rows) {
      const delay = Number(wideDelay);
      let total = totals.get(origin);
      if (total === undefined) totals.set(origin, (total = { flights: 0, sum: 0, worst: Number.NEGATIVE_INFINITY }));
      total.flights++;
      total.sum += delay;
      total.worst = Math.max(total.worst, delay);
    }
    return [...totals].map(([origin, { flights, sum, worst }]) => ({
      origin,
      flights,
      meanDelay: sum / flights,
      worstDelay: worst,
    }));
  } finally {
    await handle.close();
  }
}
