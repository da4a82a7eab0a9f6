import { fileProblem } from '../../src/connectors/file-problem.ts';

const failed = (code: string): Error => Object.assign(new Error(`${code}: as told`), { code, syscall: 'open' });

it.each([
  ['write', 'ENOSPC', 'cannot write: no space left on the device (ENOSPC). Free space on its disk', 'restart'],
  ['write', 'EDQUOT', 'cannot write: the quota of its disk is used up (EDQUOT). Free space on its disk', 'restart'],
  [
    'write',
    'EROFS',
    'cannot write: the file system is read-only (EROFS). Make its file system writable, or name another path',
    'never',
  ],
  [
    'delete',
    'EACCES',
    'cannot delete: permission denied (EACCES). Make it writable for this user, or name another path',
    'never',
  ],
  ['read', 'EACCES', 'cannot read: permission denied (EACCES)', 'never'],
  ['write', 'EIO', 'cannot write: EIO: as told (EIO)', 'restart'],
] as const)('to %s a file, %s: names the file, what is wrong and the remedy', (verb, code, told, recovery) => {
  expect(fileProblem('out.jsonl', verb, failed(code))).toMatchObject({
    code: 'FILE_ACCESS',
    message: `out.jsonl: ${told}`,
    recovery,
  });
});
