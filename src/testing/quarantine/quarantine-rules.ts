import type { JobEvent } from '../../actors/job-event.ts';
import { type ExecutionState, isTerminalExecutionState } from '../../actors/protocol/states.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { PipelinedRegions } from '../../graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, RegionId } from '../../ids.ts';

/** What the events of a run say of its quarantined regions, in the end. */
export interface QuarantineEnd {
  readonly quarantined: ReadonlySet<RegionId>;
  /** The tasks that have not finished, with their last states. */
  readonly unfinished: ReadonlyMap<ExecutionVertexId, ExecutionState | 'unseen'>;
  /** By task: its first attempt that was deployed after the last region was quarantined, and has not failed. */
  readonly deployedSince: ReadonlyMap<ExecutionVertexId, AttemptNumber>;
}

export function quarantineEnd(events: readonly JobEvent[], graph: ExecutionGraph): QuarantineEnd {
  const quarantined = new Set<RegionId>();
  const unfinished = new Map<ExecutionVertexId, ExecutionState | 'unseen'>();
  const deployedSince = new Map<ExecutionVertexId, AttemptNumber>();
  for (let vertex = 0 as ExecutionVertexId; vertex < graph.vertexCount; vertex++) unfinished.set(vertex, 'unseen');
  for (const event of events) {
    if (event.type === 'region.quarantined') {
      quarantined.add(event.region);
      deployedSince.clear();
    } else if (event.type === 'region.released') quarantined.delete(event.region);
    else if (event.type === 'task.stateChanged') {
      const { vertex: index, state, attempt } = event;
      const vertex = index as ExecutionVertexId;
      if (state === 'finished') unfinished.delete(vertex);
      else unfinished.set(vertex, state);
      if (state === 'deploying' && !deployedSince.has(vertex)) deployedSince.set(vertex, attempt);
      if (state === 'failed') deployedSince.delete(vertex);
    }
  }
  return { quarantined, unfinished, deployedSince };
}

/**
 * The violated rules about quarantine, one line per violation.
 *
 * - H6 No task of a quarantined region is deployed before the region is released.
 * - H7 When the job is incomplete, some region is quarantined, what has not finished is one or depends on one, and no
 *   attempt is under way.
 */
export function quarantineViolations(
  events: readonly JobEvent[],
  graph: ExecutionGraph,
  regions: PipelinedRegions,
): string[] {
  const found: string[] = [];
  const quarantined = new Set<RegionId>();
  for (const [index, event] of events.entries()) {
    if (event.type === 'region.quarantined') quarantined.add(event.region);
    if (event.type === 'region.released') quarantined.delete(event.region);
    if (event.type !== 'task.stateChanged' || event.state !== 'deploying') continue;
    const region = regions.regionOf(event.vertex as ExecutionVertexId);
    if (quarantined.has(region)) found.push(`H6 at event ${index}: ${event.task} is deployed in quarantine`);
  }
  const isIncomplete = events.some((event) => event.type === 'job.statusChanged' && event.status === 'incomplete');
  return isIncomplete ? [...found, ...endViolations(quarantineEnd(events, graph), graph, regions)] : found;
}

function endViolations(
  { quarantined, unfinished }: QuarantineEnd,
  graph: ExecutionGraph,
  regions: PipelinedRegions,
): string[] {
  const found: string[] = [];
  if (quarantined.size === 0) found.push('H7: the job is incomplete, and no region is quarantined');
  const dependent = dependentOn(quarantined, regions);
  for (const [vertex, state] of unfinished) {
    const name = graph.nameOf(vertex);
    if (!dependent.has(regions.regionOf(vertex))) {
      found.push(`H7: the job is incomplete, and ${name}, which depends on no quarantined region, is ${state}`);
    }
    if (state === 'unseen' || state === 'created' || isTerminalExecutionState(state)) continue;
    found.push(`H7: the job is incomplete, and ${name} is ${state}`);
  }
  return found;
}

/**
 * The quarantined regions, those that read their results, directly or through others, and those that would wait for such
 * consumers.
 */
function dependentOn(quarantined: ReadonlySet<RegionId>, regions: PipelinedRegions): ReadonlySet<RegionId> {
  const dependent = new Set(quarantined);
  for (const region of dependent) {
    for (const { consumerRegions } of regions.outputsOf(region)) {
      for (const consumer of consumerRegions) dependent.add(consumer as RegionId);
    }
    for (const { exchange, producerRegions } of regions.inputsOf(region)) {
      if (exchange.waitsForConsumer !== true) continue;
      for (const producer of producerRegions) dependent.add(producer as RegionId);
    }
  }
  return dependent;
}
