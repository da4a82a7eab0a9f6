import type { RegionState } from '../../../actors/protocol/states.ts';
import { useMemo, useRef } from 'preact/hooks';
import type { ExecutionVertexId, RegionId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { EdgeLabel } from './edge-label.tsx';
import { type Box, type GraphLayout, layOut, pathThrough } from './graph-layout.ts';
import type { GraphModel, Hull } from './graph-model.ts';
import { NodeBox } from './node-box.tsx';
import type { RestartPreview } from './restart-preview.ts';
import { useScale } from './use-scale.tsx';
import { recordsByVertex } from './vertex-records.ts';

interface GraphPictureProps {
  readonly picture: RunPicture;
  readonly model: GraphModel;
  readonly preview: RestartPreview | undefined;
}

/** The job graph, drawn. */
export function GraphPicture({ picture, model, preview }: GraphPictureProps) {
  const layout = useMemo(() => layOut(model), [model]);
  const scroller = useRef<HTMLDivElement>(null);
  const { scale, buttons } = useScale(scroller, layout);
  const records = recordsByVertex(picture);
  return (
    <div class="graph-frame">
      <div class="graph-scroll" ref={scroller} tabIndex={0} role="region" aria-label="Drawn job graph, scrollable">
        <div class="graph-space" style={{ width: `${layout.width * scale}px`, height: `${layout.height * scale}px` }}>
          <div
            class={`graph-canvas${preview === undefined ? '' : ' previews'}`}
            style={{ width: `${layout.width}px`, height: `${layout.height}px`, transform: `scale(${scale})` }}
          >
            <Hulls picture={picture} model={model} layout={layout} />
            <Edges picture={picture} model={model} layout={layout} preview={preview} />
            {model.edges.map(({ edge, source }, at) => (
              <EdgeLabel
                key={edge}
                picture={picture}
                edge={edge}
                at={layout.edges[at]?.label}
                reused={preview?.reusedOf.get(edge)}
                records={records[model.nodes[source]?.vertices.at(-1) ?? -1]}
              />
            ))}
            {model.nodes.map((node, at) => (
              <NodeBox
                key={at}
                picture={picture}
                node={node}
                box={layout.nodes[at] as Box}
                records={records}
                restarting={preview?.restartingOf[at]}
              />
            ))}
          </div>
        </div>
      </div>
      {buttons}
    </div>
  );
}

const hullColours = 8;

function nameOfHull({ regionCount, region }: Hull): string {
  return region === undefined ? `${regionCount} regions` : `region ${region}`;
}

function Hulls({ picture, model, layout }: { picture: RunPicture; model: GraphModel; layout: GraphLayout }) {
  const mending = regionsIn('restarting', picture, model);
  const quarantined = regionsIn('quarantined', picture, model);
  return (
    <>
      {model.hulls.map((hull, at) => {
        const { x, y, width, height } = layout.hulls[at] as Box;
        return (
          <div
            key={at}
            class={`hull hull-${at % hullColours}${mending[at] ? ' mending' : ''}${quarantined[at] ? ' quarantined' : ''}`}
            style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
          >
            <span>
              {nameOfHull(hull)}
              {mending[at] ? <strong> · {hull.regionCount === 1 ? 'mending' : `${mending[at]} mending`}</strong> : null}
              {quarantined[at] ? <strong> · {quarantined[at]} quarantined</strong> : null}
            </span>
          </div>
        );
      })}
    </>
  );
}

/** By hull: how many of its regions are in a state. O(regions) */
function regionsIn(state: RegionState, picture: RunPicture, model: GraphModel): readonly number[] {
  const { graph, regions } = picture.shape;
  const counts = model.hulls.map(() => 0);
  for (let region = 0 as RegionId; region < regions.count; region++) {
    if (picture.regionState(region) !== state) continue;
    const [task = 0] = regions.verticesOf(region);
    const node = model.nodeOf[graph.jobVertexIndexOf(task as ExecutionVertexId)] ?? -1;
    const hull = model.hulls.findIndex(({ nodes }) => nodes.includes(node));
    counts[hull] = (counts[hull] ?? 0) + 1;
  }
  return counts;
}

interface EdgesProps extends GraphPictureProps {
  readonly layout: GraphLayout;
}

function Edges({ picture, model, layout, preview }: EdgesProps) {
  const { edges } = picture.shape.graph.jobGraph;
  return (
    <svg class="graph-edges" width={layout.width} height={layout.height} aria-hidden="true">
      <defs>
        <marker
          id="arrow"
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="13"
          markerHeight="13"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0,0.5 L7.5,4 L0,7.5 Z" />
        </marker>
      </defs>
      {model.edges.map(({ edge }, at) => (
        <path
          key={edge}
          class={`exchange-${edges[edge]?.exchange.name}${preview?.reusedOf.has(edge) === true ? ' reused' : ''}`}
          d={pathThrough(layout.edges[at]?.points ?? [])}
          marker-end="url(#arrow)"
        />
      ))}
    </svg>
  );
}
