import type { ExecutionVertexId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { useStore } from '../store/store-context.ts';
import { ConfirmButton } from './confirm-button.tsx';

/** What can be done with a task of a live run. */
export function TaskActions({ picture, task }: { picture: RunPicture; task: number | undefined }) {
  const store = useStore();
  if (!store.isLive.value) return null;
  if (task === undefined) return <p class="muted small">Choose a task to restart it or to make it fail.</p>;
  const { graph, regions } = picture.shape;
  const name = graph.nameOf(task as ExecutionVertexId);
  const region = regions.regionOf(task as ExecutionVertexId);
  const refusal = store.refusal.value;
  return (
    <div class="buttons" role="group" aria-label={`Actions on ${name}`}>
      <ConfirmButton
        label="Restart region"
        question={`Restart region ${region} now? Its tasks begin again, and consumers of results that may change.`}
        confirm="Restart"
        onConfirm={() => void store.act({ action: 'restart-region', body: { region } }, `Region ${region} restarts`)}
      />
      <ConfirmButton
        label="Restart task"
        question={`Restart ${name} now, with what must restart with it?`}
        confirm="Restart"
        onConfirm={() => void store.act({ action: 'restart-task', body: { task: name } }, `${name} restarts`)}
      />
      {picture.regionState(region) === 'quarantined' && (
        <button
          type="button"
          onClick={() => void store.act({ action: 'release', body: { region } }, `Region ${region} is released`)}
        >
          Release region
        </button>
      )}
      {picture.regionState(region) === 'restarting' && (
        <button
          type="button"
          onClick={() => void store.act({ action: 'skip-backoff', body: { region } }, `Region ${region} does not wait`)}
        >
          Skip the backoff
        </button>
      )}
      <ConfirmButton
        label="Break it: fail"
        isDangerous
        disabled={refusal !== undefined}
        title={refusal}
        question={`Make ${name} fail, as if its code had thrown?`}
        confirm="Fail the task"
        onConfirm={() => void store.act({ action: 'fail-task', body: { task: name } }, `${name} is told to fail`)}
      />
      {refusal !== undefined && <p class="muted small">{refusal}</p>}
    </div>
  );
}
