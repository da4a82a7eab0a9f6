/**
 * When a process was started, as Linux tells it in `/proc/<pid>/stat`: field 22. The second, the name in brackets, may
 * hold blanks and brackets of its own.
 */
export function startTimeIn(stat: string): string | undefined {
  const [, ...afterName] = stat.slice(stat.lastIndexOf(')')).split(' ');
  return afterName[22 - 3];
}
