import { useEffect } from 'preact/hooks';
import type { RunPicture } from '../../recording/run-picture.ts';
import { CheckpointsView } from '../checkpoints/checkpoints-view.tsx';
import { ExecutorsView } from '../executors/executors-view.tsx';
import { FailuresView } from '../failures/failures-view.tsx';
import { rootFailures } from '../failures/root-failures.ts';
import { GraphView } from '../graph/graph-view.tsx';
import { ResultsView } from '../results/results-view.tsx';
import { StatechartView } from '../statechart/statechart-view.tsx';
import { usePicture, useStore } from '../store/store-context.ts';
import { TimelineView } from '../timeline/timeline-view.tsx';
import { TrendsView } from '../trends/trends-view.tsx';
import { FileDrop } from './file-drop.tsx';
import { Header } from './header.tsx';
import { NoticeBar } from './notice-bar.tsx';
import { Scrubber } from './scrubber.tsx';
import { currentView, showView, type ViewName, viewNames, viewTitles } from './view-name.ts';

const views: Readonly<Record<ViewName, (props: { picture: RunPicture }) => unknown>> = {
  graph: GraphView,
  timeline: TimelineView,
  failures: FailuresView,
  results: ResultsView,
  checkpoints: CheckpointsView,
  executors: ExecutorsView,
  statechart: StatechartView,
  trends: TrendsView,
};

/** The page. */
export function App() {
  const picture = usePicture();
  const mode = useStore().mode.value;
  useEffect(() => {
    document.title = picture === undefined ? 'Kintsugi inspector' : `${picture.run.job} · Kintsugi`;
  }, [picture?.run.job]);
  const View = views[currentView.value] as typeof GraphView;
  return (
    <div class="page">
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the view
      </a>
      <Header picture={picture} />
      {picture !== undefined && <Tabs picture={picture} />}
      <main id="main" tabIndex={-1}>
        {picture === undefined ? <FileDrop isWaiting={mode.kind === 'live'} /> : <View picture={picture} />}
      </main>
      {mode.kind === 'recording' && <Scrubber file={mode.file} name={mode.name} />}
      <NoticeBar />
    </div>
  );
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#main')?.focus();
}

function Tabs({ picture }: { picture: RunPicture }) {
  const failures = rootFailures(picture).length;
  return (
    <nav class="tabs" aria-label="Views">
      {viewNames.map((name) => (
        <a
          key={name}
          href={`#${name}`}
          aria-current={currentView.value === name ? 'page' : undefined}
          onClick={() => showView(name)}
        >
          {viewTitles[name]}
          {name === 'failures' && failures > 0 && <span class="count">{failures}</span>}
        </a>
      ))}
    </nav>
  );
}
