import { assertText, formatOf } from './content-format.ts';
import type { InputFile } from './files-plan.ts';
import type { FixedFile } from './fixed-file.ts';
import { assertUnpackable } from './unpacked-bytes.ts';

/**
 * Checks that a fixed file can be read as text, compressed or not.
 * @throws MalformedInputError if its first bytes belong to another format
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
