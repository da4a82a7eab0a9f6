import { signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { PartitionId } from '../../../ids.ts';
import { type ResultState, ResultStates } from '../../recording/result-states.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { formatBytes, formatCount, formatDuration } from '../shell/format.ts';
import { StateChip } from '../shell/state-bar.tsx';
import { useStore } from '../store/store-context.ts';
import { ExchangeCards } from './exchange-cards.tsx';
import { Gauge } from './gauge.tsx';
import { LoseResult } from './lose-result.tsx';

/** The edge whose results are listed; undefined for all. */
const edgeShown = signal<number | undefined>(undefined);

/** The results of tasks: what is kept, where, and for whom. */
export function ResultsView({ picture }: { picture: RunPicture }) {
  const { run, samples } = picture;
  const latest = samples.latest;
  return (
    <div class="view">
      <section class="stage scrolls" aria-label="Results">
        <div class="gauges">
          <Gauge label="Memory" used={latest?.memoryBytes ?? 0} budget={run.memoryBudgetBytes} />
          <Gauge label="Disk" used={latest?.diskBytes ?? 0} budget={run.diskBudgetBytes} />
        </div>
        <h2 class="part">Exchanges</h2>
        <ExchangeCards picture={picture} shown={edgeShown} />
        <h2 class="part">Results</h2>
        <PartitionTable picture={picture} edge={edgeShown.value} />
      </section>
    </div>
  );
}

/** Unread consumers that are named. */
const mostNames = 3;

function PartitionTable({ picture, edge }: { picture: RunPicture; edge: number | undefined }) {
  const { attempts, shape, samples } = picture;
  const isLive = useStore().isLive.value;
  const { graph } = shape;
  const partitions = useMemo(
    () =>
      edge === undefined
        ? Array.from({ length: graph.partitionCount }, (_, at) => at as PartitionId)
        : graph.partitionsOfEdge(edge),
    [graph, edge],
  );
  const results = new ResultStates(picture);
  const held = new Map((samples.latest?.held ?? []).map((one) => [one.partition, one]));
  const bytes = (value: number | undefined): string => (value === undefined ? '–' : formatBytes(value));
  return (
    <DataTable
      label="Each result"
      rowCount={partitions.length}
      rowAt={(at) => partitions[at] as PartitionId}
      empty="The job has no exchanges."
      columns={[
        { title: 'Result of', cell: (partition) => graph.nameOf(graph.producerOf(partition)) },
        { title: 'For', cell: (partition) => graph.edgeOfPartition(partition).target },
        { title: 'Exchange', cell: (partition) => graph.exchangeOfPartition(partition).name },
        { title: 'State', cell: (partition) => <StateChip state={stateOf(results, picture, partition)} /> },
        {
          title: 'Attempt',
          isNumber: true,
          cell: (partition) => {
            const row = attempts.latestOf(graph.producerOf(partition));
            return row < 0 ? '–' : attempts.attempt.at(row);
          },
        },
        { title: 'In memory', isNumber: true, cell: (partition) => bytes(held.get(partition)?.memoryBytes) },
        { title: 'On disk', isNumber: true, cell: (partition) => bytes(held.get(partition)?.diskBytes) },
        {
          title: 'Age',
          isNumber: true,
          cell: (partition) => {
            const { ageMs } = held.get(partition) ?? {};
            return ageMs === undefined ? '–' : formatDuration(ageMs);
          },
        },
        { title: 'Still to be read by', cell: (partition) => consumersOf(partition, results, picture) },
        ...(isLive
          ? [
              {
                title: 'Break it',
                cell: (partition: PartitionId) => <LoseResult picture={picture} partition={partition} />,
              },
            ]
          : []),
      ]}
    />
  );
}

/** The consumers that have yet to read a result, by name as far as there is room. */
function consumersOf(partition: PartitionId, results: ResultStates, { shape: { graph } }: RunPicture): string {
  if (graph.exchangeOfPartition(partition).joinsRegions) return 'read while it is written';
  const unread = results.unreadConsumers(graph.groupOfPartition(partition));
  if (unread.length === 0) return 'none';
  const names = unread.slice(0, mostNames).map((task) => graph.nameOf(task));
  return `${names.join(', ')}${unread.length > mostNames ? ` and ${formatCount(unread.length - mostNames)} more` : ''}`;
}

/** A pipelined result is never kept: it is there while its producer runs. */
function stateOf(results: ResultStates, { shape }: RunPicture, partition: PartitionId): ResultState | 'consumed' {
  const state = results.of(partition);
  const isKept = !shape.graph.exchangeOfPartition(partition).joinsRegions;
  return !isKept && (state === 'finished' || state === 'released') ? 'consumed' : state;
}
