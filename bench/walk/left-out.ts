/** Code that is not part of a walk. */
export interface LeftOut {
  /** Path prefix of its files, below `src/`. Default: any file. */
  readonly files?: string;
  /** Function name without its scope. Default: every function. */
  readonly name?: string;
  /** `alone` if the functions it calls are part of the walk. */
  readonly extent: 'with all it calls' | 'alone';
  readonly why: string;
}

/** Everything that only observes, and the testing code that stands in for the machine. */
export const leftOut: readonly LeftOut[] = [
  { name: 'recordState', extent: 'with all it calls', why: 'reports a state or status to observers' },
  {
    name: 'observe',
    extent: 'with all it calls',
    why: 'passes events to log, receipt, snapshot, history and listeners',
  },
  { name: '#recordEnd', extent: 'with all it calls', why: 'reports the records of an attempt to observers' },
  { name: 'decidedEvent', extent: 'with all it calls', why: 'reports a decision and its re-used results to observers' },
  { files: 'run/folds/', extent: 'with all it calls', why: 'log, receipt, snapshot and history' },
  { files: 'run/observers.ts', extent: 'with all it calls', why: 'listeners, the logger, the inspector' },
  { files: 'testing/', extent: 'alone', why: 'the virtual clock calls everything' },
];

/** Whether an entry leaves a function out. */
export function fits({ files = '', name }: LeftOut, file: string, called: string): boolean {
  return file.startsWith(files) && (name === undefined || called === name || called.endsWith(`.${name}`));
}

/** One line of the report. */
export function describeLeftOut({ files, name, extent, why }: LeftOut): string {
  return `${[files, name && `${name}()`].filter(Boolean).join(' ')}, ${extent}: ${why}`;
}
