import type { RegionId } from '../../ids.ts';
import { checkNoArguments } from '../../options.ts';
import type { FailoverRule } from '../failover-strategy.ts';

/** Restarts every region after any failure, as engines did before FLIP-1. */
export function restartAll(...given: readonly never[]): FailoverRule {
  checkNoArguments('restartAll', given);
  return (_, { regions }) => ({
    kind: 'restart',
    regions: Array.from({ length: regions.count }, (_unused, region) => region as RegionId),
  });
}
