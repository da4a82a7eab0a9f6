/** Code that is not part of a walk. */
export interface LeftOut {
  /** Beginning of the path of its files, below `src/`. Default: anywhere. */
  readonly files?: string;
  /** Name of a function, without what is around it. Default: all of them. */
  readonly name?: string;
  /** `alone` if what it calls is part of the walk. */
  readonly extent: 'with all it calls' | 'alone';
  readonly why: string;
}

/** Everything that only watches, and the testing kit in place of the machine.. */
export const leftOut: readonly LeftOut[] = [
  { name: 'recordState', extent: 'with all it calls', why: 'tells observers of a state or status' },
  { name: 'observe', extent: 'with all it calls', why: 'the door to log, receipt, snapshot, history and listeners' },
  { name: '#recordEnd', extent: 'with all it calls', why: 'tells observers of what an attempt moved' },
  { name: 'decidedEvent', extent: 'with all it calls', why: 'tells observers of a decision, and what it re-uses' },
  { files: 'run/folds/', extent: 'with all it calls', why: 'log, receipt, snapshot and history' },
  { files: 'run/observers.ts', extent: 'with all it calls', why: 'listeners, the logger, the inspector' },
  { files: 'testing/', extent: 'alone', why: 'the virtual clock runs everything there is' },
];

/** Whether a function is left out by an entry. */
export function fits({ files = '', name }: LeftOut, file: string, called: string): boolean {
  return file.startsWith(files) && (name === undefined || called === name || called.endsWith(`.${name}`));
}

/** One line for people. */
export function describeLeftOut({ files, name, extent, why }: LeftOut): string {
  return `${[files, name && `${name}()`].filter(Boolean).join(' ')}, ${extent}: ${why}`;
}
