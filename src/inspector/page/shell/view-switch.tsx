import { type Signal, signal } from '@preact/signals';
import type { ViewName } from './view-name.ts';

/** How a view shows what it shows. */
export type Shown = 'picture' | 'table';

const chosen = new Map<ViewName, Signal<Shown | undefined>>();

/** What the user chose for a view; undefined if nothing. Kept while the page is open. */
export function shownIn(view: ViewName): Signal<Shown | undefined> {
  let shown = chosen.get(view);
  if (shown === undefined) chosen.set(view, (shown = signal(undefined)));
  return shown;
}

/** Switches between a picture and the table that says the same. */
export function ViewSwitch({ view, shown }: { view: ViewName; shown: Shown }) {
  return (
    <div class="segmented" role="group" aria-label="Show as">
      {(['picture', 'table'] as const).map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={shown === name}
          onClick={() => {
            shownIn(view).value = name;
          }}
        >
          {name === 'picture' ? 'Picture' : 'Table'}
        </button>
      ))}
    </div>
  );
}
