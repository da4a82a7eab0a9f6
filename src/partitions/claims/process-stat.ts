/**
 * The start time of a process, from `/proc/<pid>/stat` of Linux: field 22. Field 2, the name in parentheses, may
 * itself contain spaces and parentheses.
 */
export function startTimeIn(stat: string): string | undefined {
  return fieldsIn(stat)[22 - 3];
}

/** How far a process is: it lives, it is killed but not gone yet, or only its parent has still to be told. */
export type ProcessStage = 'alive' | 'ending' | 'ended';

/**
 * The stage of a process, from its `/proc/<pid>/stat`: state (3), flags (9, `PF_EXITING`), threads (20), pending signals of
 * its first thread (31).
 */
export function stageIn(stat: string): ProcessStage {
  const fields = fieldsIn(stat);
  const [state = '', flags = 0, threads = 0, pending = 0] = [
    fields[0],
    ...[9, 20, 31].map((at) => Number(fields[at - 3])),
  ];
  // The first thread of a process may end before the others.
  if (state === 'Z' || state === 'X') return threads > 1 ? 'ending' : 'ended';
  return (flags & exiting) !== 0 || (pending & killed) !== 0 ? 'ending' : 'alive';
}

const exiting = 0x4;
const killed = 1 << (9 - 1);

/** The fields from the third on. */
function fieldsIn(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')')).split(' ').slice(1);
}
