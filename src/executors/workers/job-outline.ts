import type { JobGraph } from '../../graph/job-graph.ts';

/** What must be the same in two plans of one job, as plain data. */
export interface JobOutline {
  readonly name: string;
  /** By index of the vertex. */
  readonly vertices: readonly {
    readonly id: string;
    readonly parallelism: number;
    /** uids of its operators. */
    readonly operators: readonly string[];
  }[];
  /** By index of the edge: `source -(exchange)-> target`. */
  readonly edges: readonly string[];
}

/** The outline of a planned job. */
export function outlineOf({ name, jobGraph }: { readonly name: string; readonly jobGraph: JobGraph }): JobOutline {
  return {
    name,
    vertices: jobGraph.vertices.map(({ id, parallelism, operators = [id] }) => ({
      id,
      parallelism,
      operators: operators.map(String),
    })),
    edges: jobGraph.edges.map(
      ({ source, target, exchange, pattern }) => `${source} -(${exchange.name}, ${pattern})-> ${target}`,
    ),
  };
}

/** The first difference between the job of the master and that of a worker, in words; undefined if there is none. */
export function differenceOf(master: JobOutline, worker: JobOutline): string | undefined {
  if (master.name !== worker.name) return `it is "${worker.name}" there`;
  for (let index = 0; index < Math.max(master.vertices.length, worker.vertices.length); index++) {
    const [expected, found] = [master.vertices[index], worker.vertices[index]];
    if (expected === undefined) return `it has a vertex "${found?.id}" there`;
    if (found === undefined) return `it has no vertex "${expected.id}" there`;
    if (expected.id !== found.id) return `vertex "${expected.id}" is "${found.id}" there`;
    if (expected.parallelism !== found.parallelism) {
      return `"${expected.id}" has parallelism ${found.parallelism} there, not ${expected.parallelism}`;
    }
    const [uids, uidsThere] = [expected.operators.join(', '), found.operators.join(', ')];
    if (uids !== uidsThere) return `"${expected.id}" has the operators ${uidsThere} there, not ${uids}`;
  }
  const edge = master.edges.findIndex((one, index) => one !== worker.edges[index]);
  if (edge !== -1) return `the edge ${master.edges[edge]} is ${worker.edges[edge] ?? 'missing'} there`;
  return worker.edges.length > master.edges.length
    ? `there is an edge ${worker.edges[master.edges.length]}`
    : undefined;
}
