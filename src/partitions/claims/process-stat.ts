/**
 * The start time of a process, from `/proc/<pid>/stat` of Linux: field 22. Field 2, the name in parentheses, may
 * itself contain spaces and parentheses.
 */
export function startTimeIn(stat: string): string | undefined {
  const [, ...afterName] = stat.slice(stat.lastIndexOf(')')).split(' ');
  return afterName[22 - 3];
}
