import type { ExecutionVertexId, RegionId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { formatCount, formatOffset } from '../shell/format.ts';
import { useStore } from '../store/store-context.ts';

/** Tasks that are named. */
const mostNames = 3;

/** The regions that are set aside because they failed too often, and those that wait for them. */
export function QuarantineTable({ picture }: { picture: RunPicture }) {
  const store = useStore();
  const { run, shape, quarantined, regionState } = picture;
  const all = Array.from({ length: shape.regions.count }, (_, region) => region as RegionId);
  const regions = all.filter((region) => regionState(region) === 'quarantined');
  if (regions.length === 0) return null;
  return (
    <section class="block" aria-label="Quarantine">
      <h2 class="part">Quarantine</h2>
      <DataTable
        label="Quarantined regions"
        rowCount={regions.length}
        rowAt={(at) => regions[at] as RegionId}
        columns={[
          { title: 'Region', isNumber: true, cell: (region) => region },
          { title: 'Tasks', cell: (region) => namesOf(picture, region) },
          {
            title: 'Since',
            isNumber: true,
            cell: (region) => {
              const { atMs } = quarantined.get(region) ?? {};
              return atMs === undefined ? '–' : formatOffset(atMs - run.atMs);
            },
          },
          {
            title: 'Because',
            cell: (region) => quarantined.get(region)?.why ?? 'it would wait for a quarantined region',
          },
          {
            title: 'Last failure',
            cell: (region) => {
              const { task, cause } = quarantined.get(region) ?? {};
              return task === undefined ? '–' : `${task}: ${cause?.message}`;
            },
          },
          ...(store.isLive.value
            ? [
                {
                  title: 'Act',
                  cell: (region: RegionId) => (
                    <button
                      type="button"
                      onClick={() =>
                        void store.act({ action: 'release', body: { region } }, `Region ${region} is released`)
                      }
                    >
                      Release
                    </button>
                  ),
                },
              ]
            : []),
        ]}
      />
    </section>
  );
}

function namesOf({ shape: { graph, regions } }: RunPicture, region: RegionId): string {
  const tasks = Array.from(regions.verticesOf(region), (task) => graph.nameOf(task as ExecutionVertexId));
  const more = tasks.length - mostNames;
  return tasks.slice(0, mostNames).join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}
