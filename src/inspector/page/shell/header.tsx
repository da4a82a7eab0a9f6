import type { ExecutionState } from '../../../actors/protocol/states.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { isTerminalStatus } from '../store/statuses.ts';
import { useStore } from '../store/store-context.ts';
import { BreakMenu } from './break-menu.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { formatCount, formatDuration } from './format.ts';
import { OpenFile } from './file-drop.tsx';
import { StateBar } from './state-bar.tsx';
import { type Theme, theme } from './theme.ts';

/** The job, its status and progress, and what can be done with the whole of it. */
export function Header({ picture }: { picture: RunPicture | undefined }) {
  const store = useStore();
  return (
    <header class="top">
      <Mark />
      {picture === undefined ? <h1>Kintsugi inspector</h1> : <RunFacts picture={picture} />}
      <span class="grow" />
      <RunChoice />
      {picture !== undefined && store.isLive.value && (
        <>
          <BreakMenu picture={picture} />
          <ConfirmButton
            label="Cancel job"
            isDangerous
            question="Cancel the job? Its tasks stop, and what they have not finished is lost."
            confirm="Cancel the job"
            onConfirm={() => void store.act({ action: 'cancel', body: {} }, 'The job is told to stop')}
          />
        </>
      )}
      <RecordingButtons />
      <ThemeSwitch />
    </header>
  );
}

function Mark() {
  return (
    <svg class="mark-logo" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <circle cx="16" cy="16" r="15" />
      <path d="M5 11 L13 15 L11 21 L19 18 L27 24 M13 15 L20 6 M19 18 L28 13" />
    </svg>
  );
}

function RunFacts({ picture }: { picture: RunPicture }) {
  const { attempts, run, shape, status, atMs, statusSinceMs } = picture;
  const countOf = (state: ExecutionState): number =>
    shape.graph.jobGraph.vertices.reduce((sum, _, vertex) => sum + attempts.countOf(vertex, state), 0);
  const states = Array.from({ length: shape.regions.count }, (_, region) => picture.regionState(region));
  const [restarting = 0, quarantined = 0] = ['restarting', 'quarantined'].map(
    (wanted) => states.filter((state) => state === wanted).length,
  );
  const isOver = isTerminalStatus(status);
  return (
    <>
      <h1 title={`Run ${run.run}`}>{run.job}</h1>
      <span class={`status status-${restarting > 0 && status === 'running' ? 'restarting' : status}`} role="status">
        {status}
        {restarting > 0 && !isOver && `, ${restarting} ${restarting === 1 ? 'region' : 'regions'} mending`}
        {quarantined > 0 && `, ${quarantined} ${quarantined === 1 ? 'region' : 'regions'} quarantined`}
      </span>
      <span class="progress">
        <StateBar countOf={countOf} total={shape.graph.vertexCount} />
        <span class="muted">
          {formatCount(countOf('finished'))} of {formatCount(shape.graph.vertexCount)} tasks finished
          {countOf('running') > 0 && `, ${formatCount(countOf('running'))} running`}
        </span>
      </span>
      <span class="muted" title="Since the recording began">
        {formatDuration((isOver ? (statusSinceMs ?? atMs) : atMs) - run.atMs)}
      </span>
    </>
  );
}

function RunChoice() {
  const store = useStore();
  const runs = store.runs.value;
  const mode = store.mode.value;
  if (runs.length < 2) return null;
  return (
    <select
      aria-label="Run"
      value={mode.kind === 'empty' ? '' : mode.run}
      onChange={({ currentTarget: { value } }) => {
        const chosen = runs.find(({ run }) => run === value);
        if (chosen !== undefined) void store.open(chosen);
      }}
    >
      {runs.map(({ run, job, status }) => (
        <option key={run} value={run}>
          {job} · {run.slice(0, 6)} · {status}
        </option>
      ))}
    </select>
  );
}

function RecordingButtons() {
  const store = useStore();
  const mode = store.mode.value;
  if (mode.kind === 'live') {
    return (
      <>
        {mode.connection !== 'open' && (
          <span class="badge amber">{mode.connection === 'closed' ? 'closed' : 'connecting'}</span>
        )}
        <button type="button" title="Go through the time of this run" onClick={() => void store.scrub(mode.run)}>
          Go back in time
        </button>
      </>
    );
  }
  const { run } = mode.kind === 'recording' ? mode : {};
  const isOver = store.runs.value.some((listed) => listed.run === run && listed.endedAtMs !== undefined);
  if (run !== undefined && !isOver) {
    return (
      <button type="button" onClick={() => void store.open({ run })}>
        Back to live
      </button>
    );
  }
  return mode.kind === 'recording' ? <OpenFile label="Open another" /> : null;
}

const themes: readonly Theme[] = ['system', 'light', 'dark'];
const themeSigns: Readonly<Record<Theme, string>> = { system: '◐', light: '☀', dark: '☾' };

function ThemeSwitch() {
  const next = themes[(themes.indexOf(theme.value) + 1) % themes.length] as Theme;
  return (
    <button
      type="button"
      class="quiet theme"
      aria-label={`Theme: ${theme.value}. Change to ${next}`}
      title={`Theme: ${theme.value}`}
      onClick={() => {
        theme.value = next;
      }}
    >
      {themeSigns[theme.value]}
    </button>
  );
}
