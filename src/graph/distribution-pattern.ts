/** Which producers a consumer reads: a contiguous share of them, or all. */
export type DistributionPattern = 'pointwise' | 'all-to-all';

/** A half-open range of subtask indexes `[start, end)`. */
export interface SubtaskRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The producers that consumer `target` reads over a pointwise edge (Flink: `EdgeManagerBuildUtil`).
 * With at least as many sources as targets each target reads a contiguous share; with fewer it reads one source.
 */
export function pointwiseSources(target: number, sources: number, targets: number): SubtaskRange {
  if (sources >= targets) {
    return { start: Math.floor((target * sources) / targets), end: Math.floor(((target + 1) * sources) / targets) };
  }
  const source = Math.floor((target * sources) / targets);
  return { start: source, end: source + 1 };
}

/** The consumers that producer `source` feeds over a pointwise edge: the inverse of {@link pointwiseSources}. */
export function pointwiseTargets(source: number, sources: number, targets: number): SubtaskRange {
  if (sources >= targets) {
    const target = Math.floor(((source + 1) * targets - 1) / sources);
    return { start: target, end: target + 1 };
  }
  return { start: Math.ceil((source * targets) / sources), end: Math.ceil(((source + 1) * targets) / sources) };
}
