import type { PlainError } from '../../../plain-error.ts';
import type { RecordedFailover } from '../../recording/recording-line.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { counted, formatBytes, formatClock, formatCount, formatDuration, formatOffset } from '../shell/format.ts';
import { decisionText } from './decision-text.ts';
import { outcomeOf, type RootFailure } from './root-failures.ts';

/** A failure: its cause, the failures merged into it, what was decided, and what that cost. */
export function FailureDetails({ picture, failure }: { picture: RunPicture; failure: RootFailure }) {
  const { root, merged } = failure;
  const { failure: event } = root;
  return (
    <article class="failure" aria-label={`Failure of ${event.task ?? 'the job'}`}>
      <h2>
        {event.task ?? 'The job'} {event.attempt !== undefined && <span class="muted">attempt {event.attempt}</span>}
      </h2>
      <p class="muted">
        {formatOffset(event.atMs - picture.run.atMs)} · {formatClock(event.atMs + picture.run.epochMs)} ·{' '}
        {outcomeOf(root)}
      </p>
      <Cause error={event.cause} />
      <dl class="facts">
        <dt>Kind</dt>
        <dd>{kinds[event.classification]}</dd>
        {event.place && (
          <>
            <dt>Where</dt>
            <dd>{placeText(event.place)}</dd>
          </>
        )}
        {event.alsoFailed && <Fact name="Failed with it" value={firstOf(event.alsoFailed)} />}
        {event.lostPartitions && <Fact name="Lost results" value={firstOf(event.lostPartitions)} />}
        {Object.entries(event.labels).map(([label, value]) => (
          <Fact key={label} name={label} value={value} />
        ))}
      </dl>
      <Decision failover={root} />
      <Receipt failover={root} taskCount={picture.shape.graph.vertexCount} />
      {merged.length > 0 && <Merged merged={merged} picture={picture} />}
    </article>
  );
}

const kinds = {
  recoverable: 'recoverable: a restart may cure it',
  unrecoverable: 'unrecoverable: a restart would not cure it',
  'partition-lost': 'a result it reads is lost: its producer is to blame',
  'determinism-broken': 'a task that was declared deterministic wrote different records',
} as const;

function placeText(place: NonNullable<RecordedFailover['failure']['place']>): string {
  const { operator, record } = place as { operator?: string; record?: { position?: string; picture?: string } };
  const parts = [operator && `operator "${operator}"`, record?.position && `at ${record.position}`];
  return [...parts, record?.picture && `record ${record.picture}`].filter(Boolean).join(', ');
}

/** Names that are listed. */
const mostNames = 6;

function firstOf(names: readonly string[]): string {
  const more = names.length - mostNames;
  return names.slice(0, mostNames).join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** An error with its causes. */
function Cause({ error }: { error: PlainError }) {
  const causes: PlainError[] = [];
  for (let at = error.cause; at !== undefined && 'name' in at && causes.length < 16; at = at.cause) causes.push(at);
  return (
    <div class="cause">
      <p>
        <strong>{error.name}</strong>: {error.message}
      </p>
      {causes.map((cause, at) => (
        <p key={at} class="cause-of">
          caused by <strong>{cause.name}</strong>: {cause.message}
        </p>
      ))}
      {error.stack !== undefined && (
        <details>
          <summary>Stack</summary>
          <pre tabIndex={0}>{[error, ...causes].map(({ stack }) => stack).join('\n\ncaused by ')}</pre>
        </details>
      )}
    </div>
  );
}

function Decision({ failover: { decided, refused, overruled, quarantined, receipt } }: { failover: RecordedFailover }) {
  return (
    <section aria-label="Decision">
      <h3>Decision</h3>
      {decided === undefined && refused === undefined && <p class="muted">The strategy has not answered yet.</p>}
      {refused && <p>The job fails: {refused.why}</p>}
      {decided && (
        <p>
          {decisionText(decided)}
          {decided.why !== undefined && ` Because: ${decided.why}`}
        </p>
      )}
      {quarantined !== undefined && receipt.why !== undefined && (
        <p class="warning">No restart, because {receipt.why}</p>
      )}
      {overruled.map(({ part, problem, instead }, at) => (
        <p key={at} class="warning">
          The {part} was overruled: {problem}. Instead: {instead}
        </p>
      ))}
    </section>
  );
}

function Receipt({ failover: { receipt }, taskCount }: { failover: RecordedFailover; taskCount: number }) {
  const { partitionsReused, recordsReused, bytesReused, recoveryMs } = receipt;
  return (
    <section aria-label="Receipt">
      <h3>Receipt</h3>
      <dl class="tiles">
        <div>
          <dt>Tasks restarted</dt>
          <dd data-fact="tasks-restarted">{formatCount(receipt.tasksRestarted)}</dd>
          <dd class="muted">of {formatCount(taskCount)}</dd>
        </div>
        <div>
          <dt>Results re-used</dt>
          <dd data-fact="results-reused">{formatCount(partitionsReused)}</dd>
          <dd class="muted">
            {counted(recordsReused, 'record')}, {formatBytes(bytesReused)}
          </dd>
        </div>
        <div>
          <dt>To running</dt>
          <dd data-fact="recovery">{recoveryMs === undefined ? '–' : formatDuration(recoveryMs)}</dd>
          <dd class="muted">
            {receipt.delayMs > 0 ? `${formatDuration(receipt.delayMs)} of it backoff` : 'no backoff'}
          </dd>
        </div>
      </dl>
    </section>
  );
}

/** Merged failures that are listed. */
const mostMerged = 50;

function Merged({ merged, picture }: { merged: readonly RecordedFailover[]; picture: RunPicture }) {
  return (
    <section aria-label="Merged failures">
      <h3>Merged into this restart</h3>
      <ul class="plain">
        {merged.slice(0, mostMerged).map(({ failover, failure }) => (
          <li key={failover}>
            <strong>{failure.task ?? 'the job'}</strong>{' '}
            <time class="muted">{formatOffset(failure.atMs - picture.run.atMs)}</time> {failure.cause.message}
          </li>
        ))}
        {merged.length > mostMerged && <li class="muted">and {merged.length - mostMerged} more</li>}
      </ul>
    </section>
  );
}
