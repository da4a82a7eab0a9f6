import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { TaskActions } from '../shell/task-actions.tsx';
import { counted, formatCount, formatShare } from '../shell/format.ts';
import { describeCounts, StateBar, StateChip } from '../shell/state-bar.tsx';
import type { Selection } from '../store/page-store.ts';
import { useStore } from '../store/store-context.ts';
import type { GraphModel } from './graph-model.ts';
import { restartsIn } from './restart-preview.ts';
import { RestartSummary } from './restart-summary.tsx';
import { SubtaskGrid } from './subtask-grid.tsx';
import type { RestartAnswer } from './use-restart-scope.ts';
import { recordsByVertex } from './vertex-records.ts';

interface VertexPanelProps {
  readonly picture: RunPicture;
  readonly selection: Selection;
  readonly answer: RestartAnswer | undefined;
  readonly model: GraphModel;
}

/** The selected vertex or task: its facts, what would restart if it failed, and what can be done with it. */
export function VertexPanel({ picture, selection, answer, model }: VertexPanelProps) {
  const store = useStore();
  const { graph } = picture.shape;
  const { jobVertex, task } = selection;
  const vertex = graph.jobGraph.vertices[jobVertex];
  if (vertex === undefined) return null;
  const name = task === undefined ? vertex.id : graph.nameOf(task as ExecutionVertexId);
  return (
    <aside class="panel" aria-label={`Details of ${name}`}>
      <header>
        <h2 title={name}>{name}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={() => (store.selection.value = undefined)}>
          ✕
        </button>
      </header>
      <ChainChoice picture={picture} model={model} jobVertex={jobVertex} />
      <VertexFacts picture={picture} jobVertex={jobVertex} />
      <h3>{task === undefined ? 'If its tasks failed' : 'If it failed'}</h3>
      {answer && <RestartSummary picture={picture} answer={answer} />}
      <h3>
        Tasks
        <label class="subtask-choice">
          subtask
          <input
            type="number"
            min={0}
            max={vertex.parallelism - 1}
            placeholder="all"
            value={task === undefined ? '' : graph.subtaskOf(task as ExecutionVertexId)}
            onInput={({ currentTarget: { valueAsNumber } }) => {
              const isOne = Number.isInteger(valueAsNumber) && valueAsNumber >= 0 && valueAsNumber < vertex.parallelism;
              store.selection.value = { jobVertex, task: isOne ? graph.vertexAt(jobVertex, valueAsNumber) : undefined };
            }}
          />
        </label>
      </h3>
      <SubtaskGrid
        picture={picture}
        jobVertex={jobVertex}
        selected={task === undefined ? undefined : graph.subtaskOf(task as ExecutionVertexId)}
        restarts={restartsIn(answer?.scope, vertex.id)}
        onPick={(subtask) => {
          const picked = graph.vertexAt(jobVertex, subtask);
          store.selection.value = { jobVertex, task: picked === task ? undefined : picked };
        }}
      />
      {task !== undefined && <TaskFacts picture={picture} task={task} />}
      <TaskActions
        picture={picture}
        task={task ?? (vertex.parallelism === 1 ? graph.vertexAt(jobVertex, 0) : undefined)}
      />
    </aside>
  );
}

/** In a box that holds a chain: which vertex of it. */
function ChainChoice({
  picture,
  model,
  jobVertex,
}: Pick<VertexPanelProps, 'picture' | 'model'> & { jobVertex: number }) {
  const store = useStore();
  const { vertices } = model.nodes[model.nodeOf[jobVertex] ?? -1] ?? { vertices: [] };
  if (vertices.length < 2) return null;
  return (
    <label class="field">
      Vertex of the chain
      <select
        value={String(jobVertex)}
        onChange={({ currentTarget }) => {
          store.selection.value = { jobVertex: Number(currentTarget.value), task: undefined };
        }}
      >
        {vertices.map((vertex) => (
          <option key={vertex} value={String(vertex)}>
            {picture.shape.graph.jobGraph.vertices[vertex]?.id}
          </option>
        ))}
      </select>
    </label>
  );
}

function VertexFacts({ picture, jobVertex }: { picture: RunPicture; jobVertex: number }) {
  const { attempts, run, shape } = picture;
  const vertex = shape.graph.jobGraph.vertices[jobVertex];
  const { recordsIn = 0, recordsOut = 0, backPressure = 0 } = recordsByVertex(picture)[jobVertex] ?? {};
  const { chain = [] } = run.vertices[jobVertex] ?? {};
  const countOf = (state: Parameters<typeof attempts.countOf>[1]): number => attempts.countOf(jobVertex, state);
  return (
    <>
      <StateBar countOf={countOf} total={vertex?.parallelism ?? 1} />
      <dl class="facts">
        <dt>Tasks</dt>
        <dd>{describeCounts(countOf)}</dd>
        <dt>Steps</dt>
        <dd>{chain.join(' → ')}</dd>
        <dt>Records</dt>
        <dd>
          {formatCount(recordsIn)} read, {formatCount(recordsOut)} written
        </dd>
        <dt>Waits for room</dt>
        <dd>{formatShare(backPressure)} of the time</dd>
        <dt>If run again</dt>
        <dd>
          {vertex?.deterministic === true ? 'declared to write the same records' : 'may write different records'}
          {vertex?.replayable === false && '; its source cannot be read again'}
        </dd>
      </dl>
    </>
  );
}

function TaskFacts({ picture, task }: { picture: RunPicture; task: number }) {
  const { attempts, shape } = picture;
  const region = shape.regions.regionOf(task as ExecutionVertexId);
  const row = attempts.latestOf(task);
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        {row < 0 ? 'not created' : <StateChip state={attempts.stateOf(row)} />}
        {row >= 0 && ` attempt ${attempts.attempt.at(row)}`}
      </dd>
      <dt>Region</dt>
      <dd>
        {region}, {counted(shape.regions.verticesOf(region).length, 'task')},{' '}
        {picture.regionState(region) ?? 'not created'}
      </dd>
    </dl>
  );
}
