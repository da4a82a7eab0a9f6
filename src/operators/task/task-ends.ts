import type { TaskOutput } from '../../partitions/task-io.ts';
import type { Closing } from '../close-all.ts';
import type { SideOutput } from '../rejected/dead-letter-output.ts';
import type { TaskParts } from './task-parts.ts';

type Output = TaskOutput | SideOutput;

/** Ends every output of a task in order. Calls `failed` for each that cannot end, and `ended` once all have ended. */
export function endOutputs(
  outputs: readonly Output[],
  isCurtailed: boolean,
  failed: (output: Output, error: Error) => void,
  ended: () => void,
): void {
  let open = outputs.length;
  if (open === 0) ended();
  for (const output of outputs) {
    const done = (error?: Error): void => {
      if (error !== undefined) failed(output, error);
      else if (--open === 0) ended();
    };
    if (isCurtailed) output.curtail(done);
    else output.finish(done);
  }
}

export function inputClosing({ input, uids }: TaskParts): Closing {
  const what = uids.source === undefined ? 'its input' : `the source "${uids.source}"`;
  return { what, close: (done) => input.close(done) };
}

/** The outputs of a task that failed or was canceled, to be aborted. */
export function abortsOf({ uids }: TaskParts, outputs: readonly Output[]): Closing[] {
  const what = uids.last === undefined ? 'an output' : `the sink "${uids.last}"`;
  return outputs.map((output) => ({ what, close: (done) => output.abort(done) }));
}
