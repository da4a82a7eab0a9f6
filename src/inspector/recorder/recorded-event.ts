import type { CheckpointedTask } from '../../actors/checkpoint-event.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { FailurePlace } from '../../failure-place.ts';
import { encodeError, encodeText, encodeValue, type PlainValueOptions } from '../recording/plain-value.ts';
import type { RecordedEvent } from '../recording/recording-line.ts';

/** A value that came from the user's code, in the plain form in which it is recorded. */
type Encoded = Readonly<Record<string, unknown>>;

/**
 * An event as it is recorded: errors are plain, and what came from the user's code (errors, pictures of records,
 * labels, plans of sources) is encoded and redacted. The frequent events have nothing of that, and stay as they are.
 */
export function recordedEvent(event: JobEvent, options: PlainValueOptions): RecordedEvent {
  switch (event.type) {
    case 'job.statusChanged':
      return event;
    case 'task.ended': {
      if (event.stored === undefined) return event;
      // The journal's: files of results, which mean nothing to a reader of the recording.
      const { stored: _, ...rest } = event;
      return rest;
    }
    case 'checkpoint.completed':
      return { ...event, tasks: slowestOf(event.tasks) };
    default:
      return { ...event, ...encodedParts(event, options) } as RecordedEvent;
  }
}

/** Tasks of a checkpoint that are recorded. */
const mostTasks = 50;

/** A recording is bounded: of a job with thousands of tasks it has those that took longest, in the order of the tasks. */
function slowestOf(tasks: readonly CheckpointedTask[]): readonly CheckpointedTask[] {
  if (tasks.length <= mostTasks) return tasks;
  const tookMs = ({ alignmentMs, snapshotMs, writeMs }: CheckpointedTask): number => alignmentMs + snapshotMs + writeMs;
  const slowest = new Set([...tasks].sort((a, b) => tookMs(b) - tookMs(a)).slice(0, mostTasks));
  return tasks.filter((task) => slowest.has(task));
}

function encodedParts(event: JobEvent, options: PlainValueOptions): Encoded {
  const encoded: Record<string, unknown> = {};
  const at = (part: string): string => `${event.type}.${part}`;
  if ('cause' in event) encoded['cause'] = encodeError(event.cause, at('cause'), options);
  if ('place' in event && event.place !== undefined) encoded['place'] = encodedPlace(event.place, at('place'), options);
  if ('labels' in event) encoded['labels'] = encodeValue(event.labels, at('labels'), options);
  if (event.type === 'source.planned') encoded['plan'] = encodeValue(event.plan, at('plan'), options);
  if ('why' in event && event.why !== undefined) encoded['why'] = encodeText(event.why, at('why'), options);
  if ('problem' in event) encoded['problem'] = encodeText(event.problem, at('problem'), options);
  return encoded;
}

function encodedPlace(place: FailurePlace, path: string, options: PlainValueOptions): FailurePlace {
  const { record } = place;
  if (record?.picture === undefined) return place;
  return { ...place, record: { ...record, picture: encodeText(record.picture, `${path}.record.picture`, options) } };
}
