import type { PartitionId } from '../../../ids.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { ConfirmButton } from '../shell/confirm-button.tsx';
import { useStore } from '../store/store-context.ts';

/** Loses a result on purpose. */
export function LoseResult({ picture, partition }: { picture: RunPicture; partition: PartitionId }) {
  const store = useStore();
  const { graph } = picture.shape;
  if (!store.isLive.value || graph.exchangeOfPartition(partition).joinsRegions) return null;
  const name = `${graph.nameOf(graph.producerOf(partition))} for ${graph.edgeOfPartition(partition).target}`;
  return (
    <ConfirmButton
      label="Lose it"
      isDangerous
      disabled={store.refusal.value !== undefined}
      title={store.refusal.value}
      question={`Lose the result of ${name}, as if its file were damaged?`}
      confirm="Lose it"
      onConfirm={() =>
        void store.act({ action: 'lose-partition', body: { partition } }, `The result of ${name} is lost`)
      }
    />
  );
}
