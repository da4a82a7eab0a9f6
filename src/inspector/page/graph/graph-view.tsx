import { useMemo } from 'preact/hooks';
import { executionStates } from '../../../actors/protocol/states.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { StateLegend } from '../shell/state-bar.tsx';
import { shownIn, ViewSwitch } from '../shell/view-switch.tsx';
import { useStore } from '../store/store-context.ts';
import { GraphPicture } from './graph-picture.tsx';
import { GraphTable } from './graph-table.tsx';
import { graphModel, mostDrawnVertices } from './graph-model.ts';
import { restartPreview } from './restart-preview.ts';
import { useRestartScope } from './use-restart-scope.ts';
import { VertexPanel } from './vertex-panel.tsx';

/** The job graph: its vertices, edges and regions, and what would restart if a task failed. */
export function GraphView({ picture }: { picture: RunPicture }) {
  const { selection } = useStore();
  const { shape } = picture;
  const model = useMemo(() => graphModel(shape), [shape]);
  const answer = useRestartScope(picture, selection.value);
  const preview = useMemo(() => answer && restartPreview(answer.scope, model, shape), [answer?.scope, model]);
  const isLarge = shape.graph.jobGraph.vertices.length > mostDrawnVertices;
  const shown = shownIn('graph').value ?? (isLarge ? 'table' : 'picture');
  return (
    <div class={`view with-panel${selection.value === undefined ? '' : ' has-panel'}`}>
      <section class="stage" aria-label="Job graph">
        <div class="toolbar">
          <ViewSwitch view="graph" shown={shown} />
          <p class="hint">
            {model.nodes.length < shape.graph.jobGraph.vertices.length && 'Chains of vertices are drawn as one box. '}
            {selection.value === undefined
              ? 'Choose a vertex to see what would restart if it failed.'
              : 'Gold: would restart. Green: results that would be re-used.'}
          </p>
        </div>
        {shown === 'picture' ? (
          <GraphPicture picture={picture} model={model} preview={preview} />
        ) : (
          <GraphTable picture={picture} model={model} preview={preview} />
        )}
        {shown === 'picture' && <Legends />}
      </section>
      {selection.value !== undefined && (
        <VertexPanel picture={picture} selection={selection.value} answer={answer} model={model} />
      )}
    </div>
  );
}

function Legends() {
  return (
    <div class="legends">
      <StateLegend states={executionStates} />
      <ul class="legend" aria-label="Exchanges">
        {(['pipelined', 'memory', 'reliable', 'blocking'] as const).map((name) => (
          <li key={name}>
            <svg class={`exchange-sample exchange-${name}`} width="34" height="10" aria-hidden="true">
              <path d="M1,5 H33" />
            </svg>
            {name}
          </li>
        ))}
      </ul>
    </div>
  );
}
