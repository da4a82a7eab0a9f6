import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { formatBytes, formatCount, formatShare } from '../shell/format.ts';
import { describeCounts } from '../shell/state-bar.tsx';
import { useStore } from '../store/store-context.ts';
import { recordsOf } from './edge-label.tsx';
import type { GraphModel } from './graph-model.ts';
import type { RestartPreview } from './restart-preview.ts';
import { restartsIn } from './restart-preview.ts';
import { byReference, isByReference, recordsByVertex, storageOfEdge } from './vertex-records.ts';

interface GraphTableProps {
  readonly picture: RunPicture;
  readonly model: GraphModel;
  readonly preview: RestartPreview | undefined;
}

/** The job graph as two tables: vertices, and edges. */
export function GraphTable({ picture, model, preview }: GraphTableProps) {
  return (
    <div class="tables">
      <h2 class="part">Vertices</h2>
      <VertexTable picture={picture} model={model} preview={preview} />
      <h2 class="part">Edges</h2>
      <EdgeTable picture={picture} preview={preview} />
    </div>
  );
}

function VertexTable({ picture, model, preview }: GraphTableProps) {
  const { selection } = useStore();
  const { attempts, shape } = picture;
  const { vertices } = shape.graph.jobGraph;
  const records = recordsByVertex(picture);
  const restarting = (vertex: number): number => {
    const restarts = restartsIn(preview?.scope, vertices[vertex]?.id ?? '');
    return Array.from({ length: vertices[vertex]?.parallelism ?? 0 }, (_, at) => at).filter(restarts).length;
  };
  const hullOf = (vertex: number): string => {
    const hull = model.hulls.findIndex(({ nodes }) => nodes.includes(model.nodeOf[vertex] ?? -1));
    const { region, regionCount } = model.hulls[hull] ?? {};
    return region === undefined ? `${formatCount(regionCount ?? 0)} regions` : `region ${region}`;
  };
  return (
    <DataTable
      label="Vertices"
      rowCount={vertices.length}
      rowAt={(at) => at}
      isPicked={(vertex) => selection.value?.jobVertex === vertex}
      onPick={(jobVertex) => {
        selection.value = { jobVertex, task: undefined };
      }}
      columns={[
        { title: 'Vertex', cell: (vertex) => vertices[vertex]?.id },
        { title: 'Tasks', isNumber: true, cell: (vertex) => formatCount(vertices[vertex]?.parallelism ?? 0) },
        { title: 'In', cell: hullOf },
        { title: 'States', cell: (vertex) => describeCounts((state) => attempts.countOf(vertex, state)) },
        { title: 'Records in', isNumber: true, cell: (vertex) => formatCount(records[vertex]?.recordsIn ?? 0) },
        { title: 'Records out', isNumber: true, cell: (vertex) => formatCount(records[vertex]?.recordsOut ?? 0) },
        { title: 'Waits for room', isNumber: true, cell: (vertex) => formatShare(records[vertex]?.backPressure ?? 0) },
        ...(preview === undefined
          ? []
          : [{ title: 'Would restart', isNumber: true, cell: (vertex: number) => formatCount(restarting(vertex)) }]),
      ]}
    />
  );
}

function EdgeTable({ picture, preview }: Pick<GraphTableProps, 'picture' | 'preview'>) {
  const { edges } = picture.run;
  const { vertexIndexById } = picture.shape.graph.jobGraph;
  const records = recordsByVertex(picture);
  const count = (value: number | undefined): string => (value === undefined ? '–' : formatCount(value));
  const written = (edge: number): number | undefined =>
    recordsOf(picture, edge, records[vertexIndexById.get(edges[edge]?.source as never) ?? -1]);
  return (
    <DataTable
      label="Edges"
      rowCount={edges.length}
      rowAt={(at) => at}
      empty="The job has one vertex"
      columns={[
        { title: 'From', cell: (edge) => edges[edge]?.source },
        { title: 'To', cell: (edge) => edges[edge]?.target },
        { title: 'Exchange', cell: (edge) => edges[edge]?.exchange },
        { title: 'Partitioning', cell: (edge) => `${edges[edge]?.partitioning}, ${edges[edge]?.pattern}` },
        { title: 'Records', isNumber: true, cell: (edge) => count(written(edge)) },
        {
          title: 'In memory',
          isNumber: true,
          cell: (edge) =>
            isByReference(picture, edge) ? byReference : formatBytes(storageOfEdge(picture, edge)?.memoryBytes ?? 0),
        },
        { title: 'On disk', isNumber: true, cell: (edge) => formatBytes(storageOfEdge(picture, edge)?.diskBytes ?? 0) },
        ...(preview === undefined
          ? []
          : [
              {
                title: 'Re-used results',
                isNumber: true,
                cell: (edge: number) => count(preview.reusedOf.get(edge) ?? 0),
              },
            ]),
      ]}
    />
  );
}
