import type { JobDefinition, StreamNode } from '../../../src/api/stream-graph.ts';
import type { SeededRandom } from '../../../src/testing/index.ts';

/** A job of which its user has changed a step since the last run, which has another version now. */
export function withChangedStep(job: JobDefinition, random: SeededRandom, version: string): JobDefinition {
  const { name, mode, parallelism, steps } = job;
  const changed = random.pick(steps);
  const byStep = new Map<StreamNode, StreamNode>();
  for (const node of steps) {
    const inputs = node.inputs.map((input) => ({ ...input, from: byStep.get(input.from) as StreamNode }));
    const declaration = node === changed ? { ...node.declaration, version } : node.declaration;
    byStep.set(node, { ...node, inputs, declaration });
  }
  return { name, mode, parallelism, steps: [...byStep.values()] };
}
