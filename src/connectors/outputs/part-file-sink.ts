import { basename, resolve } from 'node:path';
import type { ConnectorDefinition } from '../../operators/identity/step-declaration.ts';
import type { Sink } from '../../operators/sink.ts';
import { commitPart, type PreparedPart } from './prepared-part.ts';

/** The common part of all sinks of part files. `made` is the call without the path. */
export function partFileSink(
  path: string,
  made: ConnectorDefinition,
): Pick<Sink<never>, 'name' | 'target' | 'guarantee' | 'redo' | 'definition' | 'commitPrepared'> {
  return {
    name: basename(path),
    target: { kind: 'file', path },
    guarantee: 'exactly-once',
    redo: 'replaces',
    // Absolute, because another process may start in another directory.
    definition: { ...made, options: { path: resolve(path), ...made.options } },
    commitPrepared: (prepared) => commitPart(prepared as PreparedPart),
  };
}
