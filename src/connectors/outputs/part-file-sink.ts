import { basename, resolve } from 'node:path';
import type { ConnectorDefinition } from '../../operators/identity/step-declaration.ts';
import type { Sink, SinkTarget } from '../../operators/sink.ts';
import { type ExportedParts, exportParts, importParts } from './exported-parts.ts';
import { otherParallelism } from './other-parallelism.ts';
import { commitPart, type PreparedParts } from './prepared-part.ts';

/** The common part of all sinks of part files. `made` is the call without the path. */
export function partFileSink(
  path: string,
  made: ConnectorDefinition,
): Pick<
  Sink<never>,
  | 'name'
  | 'guarantee'
  | 'redo'
  | 'takesSecondAttempts'
  | 'definition'
  | 'commitPrepared'
  | 'exportPrepared'
  | 'importPrepared'
  | 'redistribute'
> & {
  readonly target: SinkTarget;
} {
  // Absolute, because the working directory may be another one later, and in another process.
  const place = resolve(path);
  return {
    name: basename(path),
    target: { kind: 'file', path: place },
    guarantee: 'exactly-once',
    redo: 'replaces',
    takesSecondAttempts: true,
    definition: { ...made, options: { path: place, ...made.options } },
    commitPrepared: async (prepared) => {
      for (const part of (prepared as PreparedParts).parts) await commitPart(part);
    },
    exportPrepared: (prepared, directory) => exportParts(prepared as PreparedParts, directory),
    importPrepared: (exported, directory) => importParts(exported as ExportedParts, directory),
    redistribute: (prepared, parallelism) =>
      otherParallelism(place, prepared as readonly (PreparedParts | undefined)[], parallelism),
  };
}
