import { type ExecutionState, executionStates } from '../../../actors/protocol/states.ts';

/** The states of tasks in the order in which bars and legends show them. */
const order: readonly ExecutionState[] = [
  'finished',
  'running',
  'initializing',
  'deploying',
  'scheduled',
  'created',
  'canceling',
  'canceled',
  'failed',
];

/** How many tasks are in each state. */
export type StateCounts = (state: ExecutionState) => number;

/** `6 finished, 2 running` */
export function describeCounts(countOf: StateCounts): string {
  const present = order.filter((state) => countOf(state) > 0);
  return present.length === 0 ? 'not started' : present.map((state) => `${countOf(state)} ${state}`).join(', ');
}

/** Counts of tasks by state, as a stacked bar. */
export function StateBar({ countOf, total }: { countOf: StateCounts; total: number }) {
  return (
    <span class="state-bar" role="img" aria-label={describeCounts(countOf)} title={describeCounts(countOf)}>
      {order
        .filter((state) => countOf(state) > 0)
        .map((state) => (
          <span key={state} class={`state-${state}`} style={{ width: `${(countOf(state) / total) * 100}%` }} />
        ))}
    </span>
  );
}

/** What the colours of states mean. */
export function StateLegend({ states = executionStates }: { states?: readonly string[] }) {
  return (
    <ul class="legend" aria-label="Colours">
      {states.map((state) => (
        <li key={state}>
          <span class={`swatch state-${state}`} />
          {state}
        </li>
      ))}
    </ul>
  );
}

/** A state with its colour. */
export function StateChip({ state }: { state: string }) {
  return (
    <span class="chip">
      <span class={`swatch state-${state}`} />
      {state}
    </span>
  );
}
