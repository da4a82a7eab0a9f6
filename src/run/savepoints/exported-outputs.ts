import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SavepointMismatchError } from '../../errors/savepoint-errors.ts';
import type { Sink } from '../../operators/sink.ts';
import type { PreparedOutput, SinkState, TaskState } from '../../operators/state/task-state.ts';
import { packData, unpackData } from '../../partitions/records/packed-data.ts';
import { syncDirectory } from '../../partitions/storage/file-segment.ts';

/** In that of a savepoint: the directory of what sinks had prepared. */
const outputsDirectory = 'outputs';

/** Copies what sinks had prepared into a savepoint, so that it refers to nothing outside. */
export class ExportedOutputs {
  readonly #directory: string;
  #count = 0;

  /** @param directory that of the savepoint */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The state of a task, as the savepoint has it. @param sinks those of its vertex, in order */
  async export(state: TaskState, sinks: readonly Sink<never>[]): Promise<TaskState> {
    return await withSinkStates(state, async (prepared, index) => {
      const sink = sinks[index];
      if (sink?.exportPrepared === undefined) return prepared;
      const exported: PreparedOutput[] = [];
      for (const { checkpoint, data } of prepared) {
        const directory = join(outputsDirectory, `${++this.#count}`);
        const copy = await sink.exportPrepared(unpackData(data)[0], join(this.#directory, directory));
        exported.push({ checkpoint, data: packData([copy]), directory });
      }
      return exported;
    });
  }

  /** Settles once their directories are synced. */
  async sync(): Promise<void> {
    const outputs = join(this.#directory, outputsDirectory);
    if (!existsSync(outputs)) return;
    await syncDirectory(outputs);
    await syncDirectory(this.#directory);
  }
}

/**
 * What a sink had prepared, made of its copy in a savepoint.
 * @param directory that of the savepoint
 * @throws SavepointMismatchError for another kind of sink; what the sink throws
 */
export async function importOutputs(
  prepared: readonly PreparedOutput[],
  { sink, uid, directory }: { readonly sink: Sink<never>; readonly uid: string; readonly directory: string },
): Promise<readonly PreparedOutput[]> {
  const imported: PreparedOutput[] = [];
  for (const output of prepared) {
    if (output.directory === undefined) {
      imported.push(output);
      continue;
    }
    if (sink.importPrepared === undefined) {
      throw new SavepointMismatchError(
        directory,
        uid,
        `the sink ${sink.name} has no \`importPrepared\`, with which it takes what was prepared`,
        'Give it the method, or give the step another uid and say `allowRemovedState: true` to drop that output',
      );
    }
    const { checkpoint, data } = output;
    const own = await sink.importPrepared(unpackData(data)[0], join(directory, output.directory));
    imported.push({ checkpoint, data: packData([own]) });
  }
  return imported;
}

/** The state of a task with other states of its sinks, one after the other. */
export async function withSinkStates(
  state: TaskState,
  change: (prepared: SinkState['prepared'], index: number) => Promise<SinkState['prepared']>,
): Promise<TaskState> {
  const outputs: TaskState['outputs'][number][] = [];
  let index = 0;
  for (const output of state.outputs) {
    outputs.push(output.kind === 'sink' ? { ...output, prepared: await change(output.prepared, index++) } : output);
  }
  return { ...state, outputs };
}
