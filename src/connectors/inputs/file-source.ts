import type { ConnectorDefinition } from '../../operators/identity/step-declaration.ts';
import type { Source, SourcePlanContext } from '../../operators/source.ts';
import { changeBetween, changeOf, type ReadAs } from './file-changes.ts';
import type { FilesPlan, InputFile } from './files-plan.ts';
import { divideRest } from './rest-of-splits.ts';
import { nameOfInput } from './input-files.ts';

/** The common part of all file sources. `made` is the call without the paths; `readAs` tells how the files are read. */
export function fileSource<File extends InputFile>(
  paths: readonly string[],
  made: ConnectorDefinition,
  readAs: ReadAs,
): Pick<
  Source<never, FilesPlan<File>>,
  'name' | 'definition' | 'origin' | 'deterministic' | 'changedSince' | 'describeChange' | 'redistribute'
> {
  return {
    name: nameOfInput(paths),
    definition: { ...made, options: { path: paths, ...made.options } },
    origin: { kind: 'files', paths },
    deterministic: true,
    redistribute: divideRest,
    changedSince: ({ files }: FilesPlan<File>, { signal }: SourcePlanContext) => changeOf(files, readAs, signal),
    describeChange: (before: FilesPlan<File>, now: FilesPlan<File>) => changeBetween(before.files, now.files),
  };
}
