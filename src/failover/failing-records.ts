import type { FailurePlace } from '../failure-place.ts';
import type { AttemptNumber, ExecutionVertexId } from '../ids.ts';

/** The record at which the last failed attempt of a task failed, and the attempts that failed there one after the other. */
interface FailingRecord {
  readonly key: string;
  readonly attempts: readonly AttemptNumber[];
}

/**
 * Notices tasks whose attempts fail at the same record again and again: it is not the machine or the network, but the
 * record. Remembers one record for each task that failed.
 */
export class FailingRecords {
  readonly #last = new Map<ExecutionVertexId, FailingRecord>();

  /** The place of a failure, with the attempts before it that failed at the same record. Called once per failure. */
  note(
    vertex: ExecutionVertexId,
    attempt: AttemptNumber | undefined,
    place: FailurePlace | undefined,
  ): FailurePlace | undefined {
    const position = place?.record?.position;
    if (place === undefined || position === undefined || attempt === undefined) {
      this.#last.delete(vertex);
      return place;
    }
    const key = `${place.operator}\n${position}`;
    const last = this.#last.get(vertex);
    const before = last?.key === key ? last.attempts : [];
    this.#last.set(vertex, { key, attempts: [...before, attempt] });
    return before.length === 0 ? place : { ...place, earlierAttempts: before };
  }
}
