import type { RunPicture } from '../../recording/run-picture.ts';
import { formatShare, formatShort } from '../shell/format.ts';
import { StateBar } from '../shell/state-bar.tsx';
import { useStore } from '../store/store-context.ts';
import type { Box } from './graph-layout.ts';
import type { GraphNode } from './graph-model.ts';
import type { VertexRecords } from './vertex-records.ts';

interface NodeBoxProps {
  readonly picture: RunPicture;
  readonly node: GraphNode;
  readonly box: Box;
  readonly records: readonly VertexRecords[];
  /** How many of its tasks would restart; undefined if nothing is selected. */
  readonly restarting: number | undefined;
}

/** A job vertex, or a chain of them, with its tasks by state. */
export function NodeBox({ picture, node, box, records, restarting }: NodeBoxProps) {
  const { selection } = useStore();
  const { vertices } = picture.shape.graph.jobGraph;
  const [first = 0] = node.vertices;
  const last = node.vertices.at(-1) ?? first;
  const name = node.vertices.length === 1 ? vertices[first]?.id : `${vertices[first]?.id} … ${vertices[last]?.id}`;
  const isSelected = node.vertices.includes(selection.value?.jobVertex ?? -1);
  const countOf = (state: Parameters<typeof picture.attempts.countOf>[1]): number =>
    node.vertices.reduce((sum, vertex) => sum + picture.attempts.countOf(vertex, state), 0);
  const pressure = Math.max(...node.vertices.map((vertex) => records[vertex]?.backPressure ?? 0));
  const classes = [
    'node',
    isSelected && 'selected',
    restarting !== undefined && (restarting > 0 ? 'restarts' : 'stays'),
  ];
  return (
    <button
      type="button"
      class={classes.filter(Boolean).join(' ')}
      aria-pressed={isSelected}
      style={{ left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` }}
      onClick={() => {
        selection.value = isSelected ? undefined : { jobVertex: first, task: undefined };
      }}
    >
      <span class="node-title">
        <strong title={name}>{name}</strong>
        <span class="muted">×{node.taskCount}</span>
      </span>
      <StateBar countOf={countOf} total={node.taskCount} />
      <span class="node-facts">
        <span title="Records read and written, over all attempts">
          {formatShort(records[first]?.recordsIn ?? 0)} → {formatShort(records[last]?.recordsOut ?? 0)}
        </span>
        {restarting ? (
          <span class="badge gold">
            <span class="only-read">would restart: </span>↻ {restarting} of {node.taskCount}
          </span>
        ) : (
          pressure >= 0.01 && (
            <span class="badge amber" title="Share of time that its tasks waited for room in an output">
              waits {formatShare(pressure)}
            </span>
          )
        )}
      </span>
    </button>
  );
}
