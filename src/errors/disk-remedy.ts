import { propertyOf } from '../foreign-value.ts';
import { toError } from './thrown-value.ts';

/** What the files are needed for, and where else they could be. */
interface FilesAbout {
  /** Default: they are only written. */
  readonly isRead?: boolean;
  /** Such as `name another path`. */
  readonly elsewhere: string;
  /** What helps, too, if the disk is full. Default: only room on it does. */
  readonly moreRoom?: string;
}

interface Trouble {
  readonly codes: readonly string[];
  /** In messages of what knows no codes, such as lmdb. */
  readonly message: RegExp;
  readonly remedy: (about: FilesAbout) => string;
}

const troubles: readonly Trouble[] = [
  {
    codes: ['ENOSPC', 'EDQUOT'],
    message: /no space left|disk.*full|MDB_MAP_FULL|ENOSPC/i,
    remedy: ({ moreRoom }) => `Free space on its disk${moreRoom === undefined ? '' : `, or ${moreRoom}`}`,
  },
  {
    codes: ['EROFS'],
    message: /read-only|EROFS/i,
    remedy: ({ elsewhere }) => `Make its file system writable, or ${elsewhere}`,
  },
  {
    codes: ['EACCES', 'EPERM'],
    message: /permission denied|not permitted|EACCES|EPERM/i,
    remedy: ({ isRead, elsewhere }) =>
      `Make it ${isRead === true ? 'readable and ' : ''}writable for this user, or ${elsewhere}`,
  },
  {
    codes: ['EMFILE', 'ENFILE'],
    message: /too many open files|EMFILE|ENFILE/i,
    remedy: () => 'Allow more open files (`ulimit -n`)',
  },
  { codes: ['EFBIG'], message: /EFBIG/, remedy: () => 'Allow larger files (`ulimit -f`)' },
];

/** What helps when files cannot be written because of `cause`, as its code or its message tells; undefined if neither does. */
export function diskRemedy(cause: unknown, about: FilesAbout): string | undefined {
  const code = propertyOf(cause, 'code');
  const { message } = toError(cause);
  const isKnown = typeof code === 'string' && /^E[A-Z]+$/.test(code);
  const trouble = troubles.find((one) => (isKnown ? one.codes.includes(code) : one.message.test(message)));
  return trouble?.remedy(about);
}
