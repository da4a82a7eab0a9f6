import { diskRemedy } from './disk-remedy.ts';
import { KintsugiError } from './kintsugi-error.ts';
import { toError } from './thrown-value.ts';

/** A file is not a log of the expected kind and version. It is left as it is. Names both, and the remedy. */
export class JournalFormatError extends KintsugiError {
  readonly code = 'JOURNAL_FORMAT';
  override readonly recovery = 'never';
  readonly file: string;
  /** What it is: `ANSW, format 3`. */
  readonly found: string;
  readonly expected: string;

  constructor(file: string, found: string, expected: string, remedy: string) {
    super(`${file}: it is ${found}, expected ${expected}. ${remedy}`);
    this.file = file;
    this.found = found;
    this.expected = expected;
  }
}

/** A log cannot be opened, read, written or synced. Names the file, the cause and the remedy. */
export class JournalAccessError extends KintsugiError {
  readonly code = 'JOURNAL_ACCESS';
  readonly file: string;
  readonly operation: 'open' | 'read' | 'append to' | 'sync' | 'replace';

  constructor(file: string, operation: JournalAccessError['operation'], cause: unknown) {
    const remedy =
      diskRemedy(cause, { isRead: true, elsewhere: 'choose another directory' }) ?? 'Check its disk and directory';
    super(`Cannot ${operation} ${file}: ${toError(cause).message}. ${remedy}, and run again`, { cause });
    this.file = file;
    this.operation = operation;
  }
}
