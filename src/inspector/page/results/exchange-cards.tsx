import type { Signal } from '@preact/signals';
import { ResultStates, type ResultState } from '../../recording/result-states.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { formatBytes, formatCount, formatDuration } from '../shell/format.ts';
import { byReference, isByReference, storageOfEdge } from '../graph/vertex-records.ts';

interface ExchangeCardsProps {
  readonly picture: RunPicture;
  /** The chosen edge; undefined for all. */
  readonly shown: Signal<number | undefined>;
}

const order: readonly ResultState[] = ['released', 'finished', 'producing', 'incomplete', 'expected', 'lost'];

/** The exchanges of a job: what each holds, since when, and for how many consumers. Chooses the results below. */
export function ExchangeCards({ picture, shown }: ExchangeCardsProps) {
  const { edges } = picture.run;
  return (
    <table class="pickable">
      <thead>
        <tr>
          <th scope="col">Exchange</th>
          <th scope="col">Kind</th>
          <th scope="col">Results by state</th>
          <th scope="col" class="number">
            Records held
          </th>
          <th scope="col" class="number">
            In memory
          </th>
          <th scope="col" class="number">
            On disk
          </th>
          <th scope="col" class="number">
            Oldest
          </th>
          <th scope="col">Still to be read by</th>
        </tr>
      </thead>
      <tbody>
        {edges.map(({ source, target, exchange }, edge) => (
          <tr key={edge} class={shown.value === edge ? 'picked' : undefined}>
            <td>
              <button
                type="button"
                class="link"
                aria-pressed={shown.value === edge}
                onClick={() => (shown.value = shown.value === edge ? undefined : edge)}
              >
                {source} → {target}
              </button>
            </td>
            <td>{exchange}</td>
            <td>
              <ResultBar picture={picture} edge={edge} />
            </td>
            <HeldCells picture={picture} edge={edge} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function HeldCells({ picture, edge }: { picture: RunPicture; edge: number }) {
  const use = storageOfEdge(picture, edge);
  const isPassed = isByReference(picture, edge);
  if (use === undefined || isPassed) {
    return (
      <>
        <td class="number muted">–</td>
        <td class="number muted">{isPassed ? byReference : '–'}</td>
        <td class="number muted">–</td>
        <td class="number muted">–</td>
        <td class="muted">{isPassed ? 'read while it is written' : 'nothing is held'}</td>
      </>
    );
  }
  const more = use.readerCount - Math.min(use.readers.length, 3);
  return (
    <>
      <td class="number">{formatCount(use.records)}</td>
      <td class="number">{formatBytes(use.memoryBytes)}</td>
      <td class="number">{formatBytes(use.diskBytes)}</td>
      <td class="number">{formatDuration(use.oldestMs)}</td>
      <td>
        {use.readerCount === 0 ? 'kept by keepResults' : use.readers.slice(0, 3).join(', ')}
        {more > 0 && ` and ${formatCount(more)} more`}
      </td>
    </>
  );
}

function ResultBar({ picture, edge }: { picture: RunPicture; edge: number }) {
  const { graph } = picture.shape;
  const results = new ResultStates(picture);
  const counts = new Map<ResultState, number>();
  const partitions = graph.partitionsOfEdge(edge);
  for (const partition of partitions) {
    const state = results.of(partition);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const text = order.filter((state) => counts.has(state)).map((state) => `${counts.get(state)} ${state}`);
  return (
    <span class="bar-with-text">
      <span class="state-bar" role="img" aria-label={text.join(', ')}>
        {order
          .filter((state) => counts.has(state))
          .map((state) => (
            <span
              key={state}
              class={`state-${state}`}
              style={{ width: `${((counts.get(state) ?? 0) / partitions.length) * 100}%` }}
            />
          ))}
      </span>
      <span class="muted">{text.join(', ')}</span>
    </span>
  );
}
