import type { RunPicture } from '../../recording/run-picture.ts';

/** Values over time, in s since the recording began; null where there is none. */
export interface Series {
  readonly atS: readonly number[];
  readonly lines: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** Records per second, between one sample and the next: read from sources, and written by all tasks. */
export function throughput({ run, samples, shape }: RunPicture): Series {
  const { graph } = shape;
  const sources = [...graph.jobGraph.vertices.keys()].filter((vertex) => graph.edgesInto(vertex).length === 0);
  const atS: number[] = [];
  const [read, written]: [number[], number[]] = [[], []];
  for (const [at, sample] of samples.all.entries()) {
    const before = samples.all[at - 1];
    if (before === undefined || sample.atMs <= before.atMs) continue;
    const seconds = (sample.atMs - before.atMs) / 1_000;
    const rate = (now: number, then: number): number => Math.max(0, now - then) / seconds;
    const readBy = (one: typeof sample): number =>
      sources.reduce((sum, at) => sum + (one.vertices[at]?.recordsIn ?? 0), 0);
    const writtenBy = (one: typeof sample): number => one.vertices.reduce((sum, { recordsOut }) => sum + recordsOut, 0);
    atS.push((sample.atMs - run.atMs) / 1_000);
    read.push(rate(readBy(sample), readBy(before)));
    written.push(rate(writtenBy(sample), writtenBy(before)));
  }
  return {
    atS,
    lines: [
      { name: 'read from sources', values: read },
      { name: 'written by tasks', values: written },
    ],
  };
}

/** Bytes of results in memory and on disk. */
export function storage({ run, samples }: RunPicture): Series {
  return {
    atS: samples.all.map(({ atMs }) => (atMs - run.atMs) / 1_000),
    lines: [
      { name: 'in memory', values: samples.all.map(({ memoryBytes }) => memoryBytes) },
      { name: 'on disk', values: samples.all.map(({ diskBytes }) => diskBytes) },
    ],
  };
}

/** Share of time that tasks waited for room in an output: the highest of all vertices. */
export function backPressure({ run, samples }: RunPicture): Series {
  const highest = samples.all.map(({ vertices }) => Math.max(0, ...vertices.map((vertex) => vertex.backPressure)));
  return {
    atS: samples.all.map(({ atMs }) => (atMs - run.atMs) / 1_000),
    lines: [{ name: 'most waiting vertex', values: highest.map((share) => share * 100) }],
  };
}

/** How finely failures are counted. */
const bins = 60;

/** Failures per minute, over stretches of the run. */
export function failureRate({ run, failovers, atMs }: RunPicture): Series {
  const binMs = Math.max((atMs - run.atMs) / bins, 1);
  const counts: number[] = Array.from({ length: bins }, () => 0);
  for (const { failure } of failovers.all) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((failure.atMs - run.atMs) / binMs)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return {
    atS: counts.map((_, bin) => ((bin + 0.5) * binMs) / 1_000),
    lines: [{ name: 'failures per minute', values: counts.map((count) => (count * 60_000) / binMs) }],
  };
}

/** From a failure until everything ran again, by the time of the failure, in ms. */
export function recoveryTimes({ run, failovers }: RunPicture): Series {
  const mended = [...failovers.all].filter(({ receipt }) => receipt.recoveryMs !== undefined);
  return {
    atS: mended.map(({ failure }) => (failure.atMs - run.atMs) / 1_000),
    lines: [
      { name: 'to running', values: mended.map(({ receipt }) => receipt.recoveryMs ?? null) },
      { name: 'of it backoff', values: mended.map(({ receipt }) => receipt.delayMs) },
    ],
  };
}
