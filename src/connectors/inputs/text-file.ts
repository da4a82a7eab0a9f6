import { assertText, formatOf } from './content-format.ts';
import type { InputFile } from './files-plan.ts';
import type { FixedFile } from './fixed-file.ts';
import { assertUnpackable } from './unpacked-bytes.ts';

/**
 * A file that is to be read as text, packed or not.
 * @throws MalformedInputError where it is something else, as its first bytes tell
 */
export function textFile(file: FixedFile, firstBytes: Uint8Array): InputFile {
  const compression = formatOf(firstBytes)?.compression;
  if (compression === undefined) {
    assertText(file.path, firstBytes);
    return file;
  }
  assertUnpackable(file.path, compression);
  return { ...file, compression };
}
