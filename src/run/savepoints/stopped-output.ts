import type { Clock, Logger } from '../../environment.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { Sink } from '../../operators/sink.ts';
import type { TaskState } from '../../operators/state/task-state.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';

interface PreparedBySink {
  readonly sink: Sink<never>;
  /** Packed, oldest first. */
  readonly prepared: readonly Uint8Array[];
}

const mostTries = 5;
const pauseMs = 100;

/**
 * What sinks had prepared for the savepoint with which a run stops.
 *
 * - SV2 It is committed when the run has stopped, also that of a task that failed after the savepoint was complete, or whose
 *   executor was lost: no task is started again for that.
 */
export class StoppedOutput {
  readonly #clock: Pick<Clock, 'setTimeout'>;
  readonly #logger: Logger;
  #outputs: readonly PreparedBySink[] = [];
  /** Why some of it is not committed. */
  failure: Error | undefined;

  constructor({ clock, logger }: { readonly clock: Pick<Clock, 'setTimeout'>; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The savepoint is complete. */
  take(outputs: readonly PreparedBySink[]): void {
    this.#outputs = outputs;
  }

  /** Commits what its tasks may not have committed. Never rejects. */
  async commit(): Promise<void> {
    for (const { sink, prepared } of this.#outputs) {
      try {
        for (const data of prepared) await this.#commit(sink, data);
      } catch (error) {
        const { message } = toError(error);
        this.failure ??= new Error(
          `The savepoint is complete, and the sink "${sink.name}" could not commit what it had prepared for it: ${message}. The run that continues from it does that`,
          { cause: error },
        );
        this.#logger.warn(this.failure.message);
      }
    }
  }

  async #commit(sink: Sink<never>, data: Uint8Array): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await sink.commitPrepared?.(unpackData(data)[0]);
        return;
      } catch (error) {
        if (tries === mostTries) throw error;
        await new Promise<void>((resolve) => void this.#clock.setTimeout(resolve, pauseMs));
      }
    }
  }
}

/** What the sinks of a task have prepared. @param sinks those of its vertex, in order */
export function preparedIn({ outputs }: TaskState, sinks: readonly Sink<never>[]): PreparedBySink[] {
  const states = outputs.flatMap((output) => (output.kind === 'sink' ? [output] : []));
  return states.flatMap(({ prepared }, index) => {
    const sink = sinks[index];
    return sink === undefined ? [] : [{ sink, prepared: prepared.map(({ data }) => data) }];
  });
}
