import type { Clock } from '../../environment.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { TaskInput } from '../../partitions/task-io.ts';
import type { Blame } from '../operator-stage.ts';
import { pictureOf } from '../record-picture.ts';
import type { TaskParts } from './task-parts.ts';

/** How long the end of a failed task may be delayed to locate the origin of a record exactly. */
const locateTimeoutMs = 500;

/** The failed operator, source or sink, and the record or key. */
interface Culprit extends Pick<Blame, 'record' | 'key'> {
  readonly uid: string;
}

/** The place of a failure, assembled from the parts of the task. The first part to be blamed counts. */
export class FailureScene {
  #culprit: Culprit | undefined;
  #position: string | undefined;

  /** Blames a source, a sink, or the function of an operator, with its record if known. */
  blame(uid: string, record?: Blame['record']): void {
    this.#culprit ??= { uid, ...(record && { record }) };
  }

  /** Blames what the chain of a task was working on, if it knows. */
  blameOperator({ chain: { blame }, uids }: Pick<TaskParts, 'chain' | 'uids'>): void {
    if (blame === undefined) return;
    const { operator, uid: owner, record, key } = blame;
    const uid = owner ?? uidOf(operator, uids);
    if (uid === undefined) return;
    this.#culprit ??= { uid, ...(record && { record }), ...(key && { key }) };
  }

  /** Asks the input for the origin of the record, before the input is closed, within {@link locateTimeoutMs}. */
  locate(input: TaskInput, clock: Clock, done: () => void): void {
    const number = this.#culprit?.record?.number;
    if (number === undefined) return done();
    this.#position = input.placeOf(number);
    if (input.locate === undefined) return done();
    let isOver = false;
    const located = (position?: string): void => {
      if (isOver) return;
      isOver = true;
      clock.clearTimeout(timer);
      this.#position = position ?? this.#position;
      done();
    };
    const timer = clock.setTimeout(located, locateTimeoutMs);
    void input.locate(number).then(located);
  }

  /** The place, as far as known. */
  place(): FailurePlace | undefined {
    if (this.#culprit === undefined) return undefined;
    const { uid: operator, record, key } = this.#culprit;
    if (record !== undefined) {
      return { operator, record: { position: this.#position, picture: pictureOf(record.value) } };
    }
    return { operator, record: key && { position: `key ${pictureOf(key.value)}`, picture: undefined } };
  }
}

function uidOf(operator: Blame['operator'], uids: TaskParts['uids']): string | undefined {
  if (typeof operator === 'number') return uids.operators[operator];
  return operator === 'source' ? uids.source : uids.last;
}
