import { signal } from '@preact/signals';
import type { RecordedEvent } from '../../recording/recording-line.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { counted, formatClock, formatOffset } from '../shell/format.ts';
import { shownIn, ViewSwitch } from '../shell/view-switch.tsx';
import { FailureDetails } from './failure-details.tsx';
import { FailuresTable } from './failures-table.tsx';
import { noticeText } from './notice-text.ts';
import { QuarantineTable } from './quarantine-table.tsx';
import { RejectedTable } from './rejected-table.tsx';
import { outcomeOf, type RootFailure, rootFailures } from './root-failures.ts';

/** The failover that is shown in detail; undefined for the latest. */
const chosen = signal<number | undefined>(undefined);

/** Failures with their causes, what was decided, and what it cost. */
export function FailuresView({ picture }: { picture: RunPicture }) {
  const failures = rootFailures(picture);
  const shown = shownIn('failures').value ?? 'picture';
  const failure = failures.find(({ root }) => root.failover === chosen.value) ?? failures[0];
  return (
    <div class="view">
      <section class="stage scrolls" aria-label="Failures">
        <div class="toolbar">
          <ViewSwitch view="failures" shown={shown} />
          <p class="hint">
            {failures.length === 0 ? 'Nothing has failed.' : `${counted(failures.length, 'failure')}, latest first.`}
          </p>
        </div>
        <QuarantineTable picture={picture} />
        {shown === 'table' ? (
          <FailuresTable picture={picture} failures={failures} />
        ) : (
          failure !== undefined && (
            <div class="failures">
              <FailureList picture={picture} failures={failures} shown={failure} />
              <FailureDetails picture={picture} failure={failure} />
            </div>
          )
        )}
        <RejectedTable picture={picture} />
        <Notices picture={picture} />
      </section>
    </div>
  );
}

/** Failures that are listed; the table has all. */
const mostListed = 200;

interface FailureListProps {
  readonly picture: RunPicture;
  readonly failures: readonly RootFailure[];
  readonly shown: RootFailure;
}

function FailureList({ picture, failures, shown }: FailureListProps) {
  return (
    <ol class="failure-list" aria-label="Failures">
      {failures.slice(0, mostListed).map(({ root, merged }) => (
        <li key={root.failover}>
          <button
            type="button"
            aria-pressed={root === shown.root}
            onClick={() => {
              chosen.value = root.failover;
            }}
          >
            <span class="row">
              <strong>{root.failure.task ?? 'the job'}</strong>
              <time class="muted">{formatOffset(root.failure.atMs - picture.run.atMs)}</time>
            </span>
            <span class="clip">{root.failure.cause.message}</span>
            <span class="muted">
              {outcomeOf(root)}
              {merged.length > 0 && `, with ${counted(merged.length, 'more failure')}`}
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}

/** Notices that are listed. */
const mostNotices = 100;

function Notices({ picture }: { picture: RunPicture }) {
  const texts = picture.notices
    .map((event: RecordedEvent) => ({ event, text: noticeText(event) }))
    .filter(({ text }) => text !== undefined)
    .slice(-mostNotices)
    .reverse();
  if (texts.length === 0 && picture.droppedLines === 0) return null;
  return (
    <section class="block" aria-label="Notices">
      <h2 class="part">Notices</h2>
      <ul class="notices">
        {picture.droppedLines > 0 && <li>{counted(picture.droppedLines, 'line')} of the recording were dropped.</li>}
        {texts.map(({ event, text }, at) => (
          <li key={texts.length - at}>
            <time class="muted" title={formatClock(event.atMs + picture.run.epochMs)}>
              {formatOffset(event.atMs - picture.run.atMs)}
            </time>
            <span>{text}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
