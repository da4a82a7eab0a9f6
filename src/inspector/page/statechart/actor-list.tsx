import { signal } from '@preact/signals';
import type { KnownActor } from '../../recording/actors/actor-table.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { DataTable } from '../shell/data-table.tsx';
import { isTerminalStatus } from '../store/statuses.ts';

const text = signal('');
const chart = signal('');
/** undefined: once the run is over, when all have stopped. */
const withStopped = signal<boolean | undefined>(undefined);

/** The id of an actor without the part that all share: that of the run. */
export function shortId({ run }: RunPicture, id: string): string {
  return id.startsWith(`${run.run}/`) ? id.slice(run.run.length + 1) : id;
}

/** In the list, where space is short: most actors are children of the master. */
function listedId(picture: RunPicture, id: string): string {
  return shortId(picture, id).replace(/^master\//, '');
}

/** The actors that the filters leave, in the order of their creation. O(actors) */
function actorsShown({ actors, status }: RunPicture): KnownActor[] {
  const isOver = withStopped.value ?? isTerminalStatus(status);
  const wanted = text.value.toLowerCase();
  return [...actors.all].filter(
    (actor) =>
      (isOver || actor.stoppedMs === undefined) &&
      (chart.value === '' || actor.chart === chart.value) &&
      (wanted === '' || actor.id.toLowerCase().includes(wanted)),
  );
}

interface ActorListProps {
  readonly picture: RunPicture;
  readonly shown: number | undefined;
  readonly onPick: (actor: number) => void;
}

/** The actors of a run. */
export function ActorList({ picture, shown, onPick }: ActorListProps) {
  const actors = actorsShown(picture);
  return (
    <div class="actor-list">
      <div class="fields">
        <input
          type="search"
          placeholder="Find an actor"
          aria-label="Find an actor"
          value={text.value}
          onInput={({ currentTarget: { value } }) => (text.value = value)}
        />
        <select
          aria-label="Kind of actor"
          value={chart.value}
          onChange={({ currentTarget: { value } }) => (chart.value = value)}
        >
          <option value="">all kinds</option>
          {[...picture.charts.keys()].map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <label class="field">
          <input
            type="checkbox"
            checked={withStopped.value ?? isTerminalStatus(picture.status)}
            onChange={({ currentTarget: { checked } }) => (withStopped.value = checked)}
          />
          stopped, too
        </label>
      </div>
      <DataTable
        label="Actors"
        rowCount={actors.length}
        rowAt={(at) => actors[at] as KnownActor}
        empty="No actor is so."
        isPicked={({ actor }) => actor === shown}
        onPick={({ actor }) => onPick(actor)}
        columns={[
          { title: 'Actor', cell: (actor) => <span title={actor.id}>{listedId(picture, actor.id)}</span> },
          {
            title: 'State',
            cell: ({ states, stoppedMs }) =>
              stoppedMs === undefined ? states.join(' ') : <span class="muted">{states.join(' ')} ■</span>,
          },
        ]}
      />
    </div>
  );
}
