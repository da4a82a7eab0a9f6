import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { KnownActor } from '../../recording/actors/actor-table.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { useStore } from '../store/store-context.ts';
import { ActorList, shortId } from './actor-list.tsx';
import { StateBox } from './chart-box.tsx';
import { EventList } from './event-list.tsx';

/** The statechart of an actor: its states as nested boxes, the active ones lit, and its last events. */
export function StatechartView({ picture }: { picture: RunPicture }) {
  const store = useStore();
  const actor = actorShown(picture, store.actor.value);
  useFocus(actor?.id);
  return (
    <div class="view">
      <section class="stage charts" aria-label="Statechart">
        <ActorList picture={picture} shown={actor?.actor} onPick={(number) => (store.actor.value = number)} />
        {actor === undefined ? (
          <p class="empty">The recording has no actors: it was made at the level `counts`.</p>
        ) : (
          <>
            <Chart picture={picture} actor={actor} />
            <Events picture={picture} actor={actor} />
          </>
        )}
      </section>
    </div>
  );
}

/** The chosen actor, or the job master. */
function actorShown({ actors }: RunPicture, chosen: number | undefined): KnownActor | undefined {
  if (chosen !== undefined && actors.get(chosen) !== undefined) return actors.get(chosen);
  for (const actor of actors.all) if (actor.chart !== undefined) return actor;
  return undefined;
}

/** Asks a live run for the events of an actor while its chart is shown. */
function useFocus(id: string | undefined): void {
  const store = useStore();
  const mode = store.mode.value;
  const run = mode.kind === 'live' && store.isLive.value ? mode.run : undefined;
  useEffect(() => {
    const { api } = store;
    if (api === undefined || run === undefined || id === undefined) return undefined;
    api.focus(run, id).catch(() => undefined);
    return () => {
      api.focus(run, null).catch(() => undefined);
    };
  }, [store, run, id]);
}

function Chart({ picture, actor }: { picture: RunPicture; actor: KnownActor }) {
  const chart = actor.chart === undefined ? undefined : picture.charts.get(actor.chart);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.querySelector('.state-box.on:not(.parent)')?.scrollIntoView({ block: 'nearest' });
  }, [actor.actor]);
  const traces = picture.traces.filter((trace) => picture.actors.get(trace.actor)?.chart === actor.chart);
  return (
    <div class="chart" ref={box} tabIndex={0} role="region" aria-label={`Chart of ${shortId(picture, actor.id)}`}>
      <p>
        <strong>{shortId(picture, actor.id)}</strong>{' '}
        <span class="muted">
          {actor.chart}
          {actor.stoppedMs !== undefined && ', stopped'}
        </span>
      </p>
      {chart === undefined ? (
        <p class="empty">It is no state machine.</p>
      ) : (
        <ul class="states">
          <StateBox
            state={chart.definition}
            path=""
            active={actor.states}
            moves={picture.actors.movesOf(chart.chart)}
            traces={traces}
          />
        </ul>
      )}
    </div>
  );
}

function Events({ picture, actor }: { picture: RunPicture; actor: KnownActor }) {
  const isAll = useSignal(false);
  return (
    <div class="events" tabIndex={0} role="region" aria-label="Events">
      <div class="segmented" role="group" aria-label="Events of">
        <button type="button" aria-pressed={!isAll.value} onClick={() => (isAll.value = false)}>
          This actor
        </button>
        <button type="button" aria-pressed={isAll.value} onClick={() => (isAll.value = true)}>
          All messages
        </button>
      </div>
      <EventList picture={picture} actor={isAll.value ? undefined : actor.actor} />
    </div>
  );
}
