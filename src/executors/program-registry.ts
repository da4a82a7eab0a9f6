import { IllegalStateError } from '../errors/usage-errors.ts';
import type { JobGraph, JobVertex } from '../graph/job-graph.ts';
import type { JobVertexId } from '../ids.ts';
import type { NamedOperator } from '../operators/answers/run-answers.ts';
import type { VertexProgram } from '../operators/operator-description.ts';

/** The functions of a job in this executor, by vertex name: a deployment names its program and carries no code. */
export class ProgramRegistry {
  readonly #job: string;
  readonly #programs = new Map<
    JobVertexId,
    { readonly program: VertexProgram; readonly operators: readonly string[] }
  >();

  constructor(job: string, jobGraph: Pick<JobGraph, 'vertices'>, programs: readonly VertexProgram[]) {
    this.#job = job;
    for (const [index, vertex] of jobGraph.vertices.entries()) {
      const program = programs[index];
      if (program !== undefined) this.#programs.set(vertex.id, { program, operators: vertex.operators ?? [vertex.id] });
    }
  }

  /** @throws IllegalStateError if the vertex is unknown here, or has other operators than in the deployment */
  find(vertex: JobVertexId, operators: readonly string[]): VertexProgram {
    const known = this.#programs.get(vertex);
    if (known === undefined) throw new IllegalStateError(`Job "${this.#job}" has no vertex "${vertex}" here`);
    if (known.operators !== operators && known.operators.join('\n') !== operators.join('\n')) {
      const [here, there] = [known.operators, operators].map((uids) => uids.map((uid) => `"${uid}"`).join(', '));
      throw new IllegalStateError(
        `Vertex "${vertex}" of job "${this.#job}" has the operators ${here} here, and was deployed with ${there}: executors must run the same version of the job`,
      );
    }
    return known.program;
  }
}

/** The operators of all vertices, without sources and sinks. */
export function operatorsOf(jobGraph: Pick<JobGraph, 'vertices'>, programs: readonly VertexProgram[]): NamedOperator[] {
  return programs.flatMap((program, index) => {
    const { id, operators: uids = [id] } = jobGraph.vertices[index] as JobVertex;
    const first = program.source === undefined ? 0 : 1;
    return program.operators.map((description, at) => ({ uid: uids[first + at] as string, description }));
  });
}
