import { fileProblem } from '../../src/connectors/file-problem.ts';
import { CheckpointStorageError } from '../../src/errors/checkpoint-errors.ts';
import { diskRemedy } from '../../src/errors/disk-remedy.ts';
import { JournalAccessError } from '../../src/errors/journal-errors.ts';
import { SpillError } from '../../src/errors/result-errors.ts';
import { StateBackendError } from '../../src/errors/state-errors.ts';

const failed = (code: string, message = `${code}: as told`): Error =>
  Object.assign(new Error(message), { code, syscall: 'write' });

const writers: [what: string, errorOf: (cause: Error) => Error][] = [
  ['an output', (cause) => fileProblem('out.jsonl', 'write', cause)],
  ['a journal', (cause) => new JournalAccessError('state/journal', 'append to', cause)],
  ['keyed state', (cause) => new StateBackendError('states', 'write', cause)],
  ['a checkpoint', (cause) => new CheckpointStorageError('a/7.manifest', 'write', cause)],
  ['a result', (cause) => new SpillError('spill', cause.message, { cause })],
];

describe.each(writers)('%s that cannot be written', (_, errorOf) => {
  it.each([
    ['ENOSPC', /\. Free space on its disk/],
    ['EDQUOT', /\. Free space on its disk/],
    ['EROFS', /\. Make its file system writable, or \w+/],
    ['EACCES', /\. Make it (readable and )?writable for this user, or \w+/],
    ['EPERM', /\. Make it (readable and )?writable for this user, or \w+/],
    ['EMFILE', /\. Allow more open files \(`ulimit -n`\)/],
    ['EFBIG', /\. Allow larger files \(`ulimit -f`\)/],
  ])('because of %s, tells what helps', (code, remedy) => {
    expect(errorOf(failed(code)).message).toMatch(remedy);
  });
});

it('a code counts more than a message, which may name a path', () => {
  const other = { elsewhere: 'name another path' };
  expect(diskRemedy(failed('EIO', "EIO: i/o error, write '/disk/full/read-only'"), other)).toBeUndefined();
  expect(diskRemedy(new Error('MDB_MAP_FULL: Environment mapsize limit reached'), other)).toBe(
    'Free space on its disk',
  );
});
