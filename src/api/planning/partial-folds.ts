import type { Partial } from '../../operators/fused/loops/partial-results.ts';
import type { OperatorDescription } from '../../operators/operator-description.ts';
import type { StreamInput, StreamNode } from '../stream-graph.ts';

type Fold = Extract<OperatorDescription, { readonly kind: 'aggregate' }>;

/**
 * Begins a fold before its shuffle, if its accumulators may be merged: each of its producers gets a step that folds what it
 * has of each key. Returns the step that merges their results.
 *
 * Others are returned as they are, also where records would have to travel too: those that are rejected, and those of a
 * stream with another consumer.
 *
 * @param chainOf the steps in the task of a producer, of which it is the last
 */
export function beginFold(
  node: StreamNode,
  readers: ReadonlyMap<StreamNode, number>,
  chainOf: (producer: StreamNode) => StreamNode[],
): StreamNode {
  const { step, inputs } = node;
  if (step.kind !== 'operator' || step.operator.kind !== 'aggregate') return node;
  const { operator } = step;
  const { merge, emit, errors } = operator;
  if (merge === undefined || emit !== 'final' || errors !== undefined) return node;
  if (!inputs.every(({ from, partitioning }) => partitioning?.kind === 'hash' && readers.get(from) === 1)) {
    return node;
  }
  const merging: Fold = {
    ...operator,
    keyOf: ({ key }: Partial) => key,
    create: ({ accumulator }: Partial) => merge.first(accumulator as never),
    add: (merged: never, { accumulator }: Partial) => merge.next(merged, accumulator as never),
  };
  for (const input of inputs) chainOf(input.from).push(partialFold(node, operator, input, inputs.length > 1));
  const partitioning = { kind: 'hash', keyOf: merging.keyOf } as const;
  return Object.freeze<StreamNode>({
    ...node,
    step: { kind: 'operator', operator: merging },
    inputs: inputs.map((input) => ({ ...input, partitioning })),
  });
}

/** The part of a fold that runs in the task of one of its producers. */
function partialFold(node: StreamNode, fold: Fold, { from }: StreamInput, isOneOfSeveral: boolean): StreamNode {
  const { kind, functions, options: _, ...declared } = node.declaration;
  const { result: _result, merge: _merge, ...folding } = functions ?? {};
  const partial: Fold = {
    ...fold,
    result: (accumulator: unknown, key: unknown): Partial => ({ key, accumulator }),
    emit: 'partial',
  };
  return Object.freeze<StreamNode>({
    ...node,
    uid: isOneOfSeveral ? `${node.uid} (partial, of ${from.uid})` : `${node.uid} (partial)`,
    step: { kind: 'operator', operator: partial },
    declaration: { ...declared, kind: `${kind} (partial)`, functions: folding },
    inputs: [],
  });
}
