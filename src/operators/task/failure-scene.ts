import type { Clock } from '../../environment.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { TaskInput } from '../../partitions/task-io.ts';
import type { Blame } from '../operator-stage.ts';
import { pictureOf } from './record-picture.ts';

/** How long the end of a failed task may be put off to say exactly where a record came from. */
const locateTimeoutMs = 500;

/** Who failed, and at what. */
interface Culprit extends Pick<Blame, 'record' | 'key'> {
  readonly uid: string;
}

/** Where a task failed, put together from what its parts know of it. The first to be blamed is. */
export class FailureScene {
  #culprit: Culprit | undefined;
  #position: string | undefined;

  /** A source or a sink failed; or the function of another, at a record. */
  blame(uid: string, record?: Blame['record']): void {
    this.#culprit ??= { uid, ...(record && { record }) };
  }

  /** An operator failed. @param uids of the chain's operators */
  blameOperator({ operator, record, key }: Blame, uids: readonly string[]): void {
    const uid = uids[operator];
    if (uid === undefined) return;
    this.#culprit ??= { uid, ...(record && { record }), ...(key && { key }) };
  }

  /** Asks the input where the record came from, before it is closed; for no longer than that is worth. */
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

  /** What is known by now. */
  place(): FailurePlace | undefined {
    if (this.#culprit === undefined) return undefined;
    const { uid: operator, record, key } = this.#culprit;
    if (record !== undefined) {
      return { operator, record: { position: this.#position, picture: pictureOf(record.value) } };
    }
    return { operator, record: key && { position: `key ${pictureOf(key.value)}`, picture: undefined } };
  }
}
