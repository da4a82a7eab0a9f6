import { resolve } from 'node:path';
import { isKeptBeyondJob } from '../../graph/keep-results.ts';
import type {
  EdgeIdentity,
  JobIdentity,
  PartitioningIdentity,
  StepIdentity,
  VertexIdentity,
} from '../../journal/identity/job-identity.ts';
import { keyParts, stepParts } from '../../operators/identity/part-identities.ts';
import type { StepDeclaration } from '../../operators/identity/step-declaration.ts';
import type { Partitioning } from '../../operators/operator-description.ts';
import type { JobPlan } from '../job-plan.ts';

/** The identity of a planned job. Costs a hash of each function, and of the records of each array that is a source. */
export function jobIdentity(plan: JobPlan): JobIdentity {
  const { name, mode, jobGraph, chains, declarations } = plan;
  return {
    job: name,
    mode,
    vertices: jobGraph.vertices.map(({ id, parallelism }, index): VertexIdentity => {
      const uids = chains[index] as readonly string[];
      const steps = (declarations[index] as readonly StepDeclaration[]).map(
        (declaration, step): StepIdentity => ({
          uid: uids[step] as string,
          role: declaration.role,
          kind: declaration.kind,
          parts: stepParts(declaration),
        }),
      );
      return { id, parallelism, steps };
    }),
    edges: edgesOf(plan),
  };
}

function edgesOf({ jobGraph, programs, exchanges }: JobPlan): readonly EdgeIdentity[] {
  const partitioningByEdge = new Map(
    programs.flatMap(({ outputs }) => outputs.map(({ edge, partitioning }) => [edge, partitioning] as const)),
  );
  const countByEnds = new Map<string, number>();
  return jobGraph.edges.map(({ source, target, exchange }, index): EdgeIdentity => {
    const ends = JSON.stringify([source, target]);
    const ordinal = countByEnds.get(ends) ?? 0;
    countByEnds.set(ends, ordinal + 1);
    const consumers = jobGraph.vertices[jobGraph.vertexIndexById.get(target) as number]?.parallelism as number;
    const keep = exchanges[index]?.keepResults;
    return {
      source,
      target,
      ordinal,
      exchange: exchange.name,
      partitioning: identityOf(partitioningByEdge.get(index) as Partitioning, consumers),
      consumers,
      ...(keep !== undefined && isKeptBeyondJob(keep) && { keptIn: resolve(keep.directory) }),
    };
  });
}

/**
 * A single consumer gets everything in the same order for any partitioning. A broadcast result is stored in its own
 * way.
 */
function identityOf(partitioning: Partitioning, consumers: number): PartitioningIdentity {
  if (partitioning.kind === 'broadcast') return { kind: 'broadcast' };
  const kind = consumers === 1 ? 'single' : partitioning.kind;
  if (partitioning.kind !== 'hash') return { kind };
  return { kind, key: keyParts(partitioning), keyRule: 'key groups' };
}
