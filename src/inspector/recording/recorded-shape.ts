import { exchangeTypes } from '../../graph/exchange-type.ts';
import { createJobGraph } from '../../graph/job-graph.ts';
import { type JobShape, jobShape } from '../../run/folds/job-shape.ts';
import type { RunLine } from './recording-line.ts';

const known = new WeakMap<object, JobShape>();

/** The shape of a recorded job: the same for the same line. Its vertices keep their order and numbers. */
export function recordedShape(line: Pick<RunLine, 'job' | 'vertices' | 'edges'>): JobShape {
  let shape = known.get(line);
  if (shape === undefined) known.set(line, (shape = newShape(line)));
  return shape;
}

function newShape({ job, vertices, edges }: Pick<RunLine, 'job' | 'vertices' | 'edges'>): JobShape {
  const typed = edges.map(({ exchange, ...edge }) => ({ ...edge, exchange: exchangeTypes[exchange] }));
  return jobShape({ name: job, jobGraph: createJobGraph(job, vertices, typed) });
}

/** The partition called `map[2]→sums`; undefined if there is none. O(edges of the job graph). */
export function partitionCalled(name: string, { graph }: JobShape): number | undefined {
  for (const [edge, { source, target }] of graph.jobGraph.edges.entries()) {
    if (!name.startsWith(`${source}[`) || !name.endsWith(`]→${target}`)) continue;
    const subtask = Number(name.slice(source.length + 1, -target.length - 2));
    const partitions = graph.partitionsOfEdge(edge);
    if (partitions[subtask] !== undefined) return partitions[subtask];
  }
  return undefined;
}
