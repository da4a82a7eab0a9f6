import { signal } from '@preact/signals';

/** The views, in the order of their tabs. */
export const viewNames = [
  ...(['graph', 'timeline', 'failures', 'results', 'checkpoints', 'executors', 'statechart', 'trends'] as const),
];

export type ViewName = (typeof viewNames)[number];

export const viewTitles: Readonly<Record<ViewName, string>> = {
  graph: 'Graph',
  timeline: 'Timeline',
  failures: 'Failures',
  results: 'Results',
  checkpoints: 'Checkpoints',
  executors: 'Executors',
  statechart: 'Statechart',
  trends: 'Trends',
};

function viewOf(hash: string): ViewName {
  return viewNames.find((name) => name === hash.slice(1)) ?? 'graph';
}

/** The view that is shown: the fragment of the page's address. */
export const currentView = signal<ViewName>(viewOf(location.hash));

addEventListener('hashchange', () => {
  currentView.value = viewOf(location.hash);
});

export function showView(name: ViewName): void {
  location.hash = name;
}
