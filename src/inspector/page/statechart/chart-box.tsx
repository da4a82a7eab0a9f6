import type { StateMove } from '../../recording/actors/actor-table.ts';
import type { ChartState, ChartTransition, TraceLine } from '../../recording/recording-line.ts';
import { formatShort } from '../shell/format.ts';
import { entriesOf, isActive, takenCount } from './chart-activity.ts';

/** What a chart shows beside its definition. */
export interface ChartActivity {
  /** Paths of the active leaves. */
  readonly active: readonly string[];
  readonly moves: readonly StateMove[];
  readonly traces: readonly TraceLine[];
}

interface StateBoxProps extends ChartActivity {
  readonly state: ChartState;
  /** `live.running`; '' for the root. */
  readonly path: string;
}

/** A state as a box: what it does, its transitions, and its child states as boxes inside. */
export function StateBox({ state, path, ...activity }: StateBoxProps) {
  const isOn = activity.active.length > 0 && isActive(path, activity.active);
  const entries = path === '' ? 0 : entriesOf(path, activity.moves);
  const classes = [
    'state-box',
    isOn && 'on',
    state.type === 'parallel' && 'parallel',
    state.states.length > 0 && 'parent',
  ];
  return (
    <li class={classes.filter(Boolean).join(' ')}>
      <header>
        <strong>
          {state.type === 'final' && <span title="final">◉ </span>}
          {state.key}
        </strong>
        {isOn && <span class="on-mark">active</span>}
        {state.type === 'parallel' && <span class="muted">parallel</span>}
        {entries > 0 && (
          <span class="muted" title={`Entered ${entries} times by actors of this chart`}>
            {formatShort(entries)}×
          </span>
        )}
      </header>
      <Doing label="invokes" names={state.invokes} />
      <Doing label="entry" names={state.entry} />
      <Doing label="exit" names={state.exit} />
      {state.transitions.length > 0 && (
        <ul class="transitions">
          {state.transitions.map((transition, at) => (
            <TransitionRow key={at} path={path} transition={transition} siblings={state.transitions} {...activity} />
          ))}
        </ul>
      )}
      {state.states.length > 0 && (
        <ul class="states">
          {state.states.map((child) => (
            <StateBox
              key={child.key}
              state={child}
              path={path === '' ? child.key : `${path}.${child.key}`}
              {...activity}
            />
          ))}
        </ul>
      )}
    </li>
  );
}

function Doing({ label, names }: { label: string; names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <p class="doing">
      <span class="muted">{label}</span> {names.join(', ')}
    </p>
  );
}

interface TransitionRowProps extends ChartActivity {
  readonly path: string;
  readonly transition: ChartTransition;
  readonly siblings: readonly ChartTransition[];
}

function TransitionRow({ path, transition, siblings, moves, traces }: TransitionRowProps) {
  const { event, guard, targets, actions } = transition;
  const taken = takenCount(path, transition, siblings, moves, traces);
  return (
    <li title={actions.length > 0 ? `does: ${actions.join(', ')}` : undefined}>
      <span>
        <code>{eventText(event)}</code>
        {guard !== undefined && <span class="muted"> if {guard}</span>}
        {targets.length > 0 && <span> → {targets.join(', ')}</span>}
        {targets.length === 0 && actions.length > 0 && <span class="muted"> / {actions.join(', ')}</span>}
      </span>
      {taken !== undefined && taken.count > 0 && (
        <span class="muted" title={taken.by === 'traced' ? 'Of the events below' : 'By all actors of this chart'}>
          {formatShort(taken.count)}×
        </span>
      )}
    </li>
  );
}

/** Events that XState makes have long names. */
function eventText(event: string): string {
  if (event === '') return 'always';
  const after = /^xstate\.after\.(.+?)\.[^.]*$/.exec(event);
  if (after !== null) return `after ${after[1]}`;
  return event.replace(/^xstate\.(done|error)\.(actor|state)\./, '$1 ');
}
