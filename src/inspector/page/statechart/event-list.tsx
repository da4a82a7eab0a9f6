import type { TraceLine } from '../../recording/recording-line.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { formatOffset } from '../shell/format.ts';
import { shortId } from './actor-list.tsx';

/** Events that are listed. */
const mostListed = 100;

interface EventListProps {
  readonly picture: RunPicture;
  /** Of one actor; undefined for the messages of all. */
  readonly actor: number | undefined;
}

/** Events that actors received, latest first: who sent them, and which transitions they caused. */
export function EventList({ picture, actor }: EventListProps) {
  const traces = picture.traces.filter((trace) => actor === undefined || trace.actor === actor);
  if (traces.length === 0) {
    return (
      <p class="empty">
        No event of {actor === undefined ? 'any actor' : 'this actor'} is known. Events are recorded while an actor is
        chosen here, or of the actors that the run was told to trace.
      </p>
    );
  }
  return (
    <ol class="event-list" aria-label="Events, latest first">
      {traces
        .slice(-mostListed)
        .reverse()
        .map((trace, at) => (
          <EventRow key={traces.length - at} picture={picture} trace={trace} withTarget={actor === undefined} />
        ))}
    </ol>
  );
}

interface EventRowProps {
  readonly picture: RunPicture;
  readonly trace: TraceLine;
  readonly withTarget: boolean;
}

function EventRow({ picture, trace, withTarget }: EventRowProps) {
  const nameOf = (number: number | undefined): string => {
    const known = number === undefined ? undefined : picture.actors.get(number);
    return known === undefined ? 'outside' : shortId(picture, known.id);
  };
  const isIgnored = trace.taken.length === 0;
  // What XState does for each of them: sending, spawning, stopping.
  const actions = trace.actions.filter((action) => !action.startsWith('xstate.'));
  return (
    <li class={isIgnored ? 'ignored' : undefined}>
      <time class="muted">{formatOffset(trace.atMs - picture.run.atMs)}</time>
      <span>
        <span class="muted">
          {nameOf(trace.source)} → {withTarget && nameOf(trace.actor)}
        </span>{' '}
        <code>{trace.event}</code>
        {isIgnored && <span class="badge amber">ignored</span>}
        {actions.length > 0 && <span class="muted"> does {actions.join(', ')}</span>}
        <Payload payload={trace.payload} />
      </span>
    </li>
  );
}

function Payload({ payload }: { payload: unknown }) {
  if (payload === null || payload === undefined || (typeof payload === 'object' && Object.keys(payload).length === 0)) {
    return null;
  }
  return (
    <details>
      <summary>data</summary>
      <pre tabIndex={0}>{JSON.stringify(payload, undefined, 2)}</pre>
    </details>
  );
}
