import { readdirSync } from 'node:fs';
import { toError } from '../errors/thrown-value.ts';
import type { JobRunOptions } from '../run/run-options.ts';
import { CommandLineError, type Given } from './command.ts';

/** The options about checkpoints and savepoints. */
export const checkpointOptions = {
  checkpoints: { type: 'string', value: 'MS', about: 'take a checkpoint of each streaming component every MS' },
  'from-savepoint': { type: 'string', value: 'DIR', about: 'with --checkpoints: begin with this savepoint' },
  'allow-removed-state': {
    type: 'boolean',
    about: 'with --from-savepoint: drop the states of steps that the job does not have any more',
  },
  savepoint: {
    type: 'string',
    value: 'DIR',
    about: 'with --checkpoints: Ctrl-C stops the job with a savepoint in DIR',
  },
  drain: {
    type: 'boolean',
    about: 'with --savepoint: that is the end of its input, and final results come first',
  },
} as const;

type CheckpointValues = Given<typeof checkpointOptions>['values'];

interface CheckpointsGiven {
  readonly options: Pick<JobRunOptions, 'checkpoints' | 'fromSavepoint' | 'allowRemovedState'>;
  /** What is taken when the job is told to stop. */
  readonly savepoint: LastSavepoint | undefined;
}

/** A savepoint with which a job stops. */
export interface LastSavepoint {
  readonly directory: string;
  readonly drain: boolean;
}

/** @throws CommandLineError */
export function checkpointsGiven(values: CheckpointValues, command: string): CheckpointsGiven {
  const {
    checkpoints,
    savepoint,
    drain = false,
    'from-savepoint': fromSavepoint,
    'allow-removed-state': allowRemovedState,
  } = values;
  const isAnInterval = checkpoints === undefined || /^[1-9]\d*$/.test(checkpoints);
  if (!isAnInterval) {
    throw new CommandLineError(
      `--checkpoints ${checkpoints}: expected the time between two in ms, for example 1000`,
      command,
    );
  }
  for (const [option, given] of Object.entries({ savepoint, 'from-savepoint': fromSavepoint })) {
    if (given !== undefined && checkpoints === undefined) {
      throw new CommandLineError(`--${option} needs --checkpoints MS`, command);
    }
  }
  if (allowRemovedState === true && fromSavepoint === undefined) {
    throw new CommandLineError('--allow-removed-state needs --from-savepoint DIR', command);
  }
  if (drain && savepoint === undefined) throw new CommandLineError('--drain needs --savepoint DIR', command);
  if (savepoint !== undefined) checkEmpty(savepoint, command);
  const intervalMs = checkpoints === undefined ? undefined : Number(checkpoints);
  return {
    options: { checkpoints: intervalMs === undefined ? undefined : { intervalMs }, fromSavepoint, allowRemovedState },
    savepoint: savepoint === undefined ? undefined : { directory: savepoint, drain },
  };
}

/** Now, as at Ctrl-C it is too late to name another one. @throws CommandLineError */
function checkEmpty(savepoint: string, command: string): void {
  const refuse = (why: string): never => {
    throw new CommandLineError(
      `--savepoint ${savepoint}: ${why}. Name a directory that is empty or does not exist`,
      command,
    );
  };
  let found: readonly string[] = [];
  try {
    found = readdirSync(savepoint);
  } catch (error) {
    const { code, message } = toError(error) as NodeJS.ErrnoException;
    if (code !== 'ENOENT') refuse(`it cannot be read (${message})`);
  }
  if (found.length > 0) refuse('there is something in it');
}
