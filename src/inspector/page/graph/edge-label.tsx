import type { RunPicture } from '../../recording/run-picture.ts';
import { formatBytes, formatShort } from '../shell/format.ts';
import type { Point } from './graph-layout.ts';
import { byReference, isByReference, storageOfEdge, type VertexRecords } from './vertex-records.ts';

interface EdgeLabelProps {
  readonly picture: RunPicture;
  readonly edge: number;
  readonly at: Point | undefined;
  /** How many of its results would be re-used. */
  readonly reused: number | undefined;
  /** Of its producer. */
  readonly records: VertexRecords | undefined;
}

/** The exchange of an edge, and what travels over it. */
export function EdgeLabel({ picture, edge, at, reused, records }: EdgeLabelProps) {
  const { exchange, partitioning } = picture.run.edges[edge] ?? {};
  const use = storageOfEdge(picture, edge);
  const written = recordsOf(picture, edge, records);
  return (
    <div class={`edge-label${reused === undefined ? '' : ' reused'}`} style={{ left: `${at?.x}px`, top: `${at?.y}px` }}>
      <span>
        {exchange} <span class="muted">{partitioning}</span>
      </span>
      {reused === undefined ? (
        <span class="muted">
          {written !== undefined && `${formatShort(written)} rec`}
          {isByReference(picture, edge)
            ? ` · ${byReference}`
            : use !== undefined && ` · ${formatBytes(use.memoryBytes + use.diskBytes)}`}
        </span>
      ) : (
        <span>re-used: {reused === 1 ? '1 result' : `${reused} results`}</span>
      )}
    </div>
  );
}

/** Records written over an edge: of its results, or of its producer if that has no other output. */
export function recordsOf(
  picture: RunPicture,
  edge: number,
  producer: Pick<VertexRecords, 'recordsOut'> | undefined,
): number | undefined {
  const { edges, vertexIndexById } = picture.shape.graph.jobGraph;
  const source = vertexIndexById.get(edges[edge]?.source as never);
  const isOnly = source !== undefined && picture.shape.graph.edgesOutOf(source).length === 1;
  return isOnly ? producer?.recordsOut : storageOfEdge(picture, edge)?.records;
}
