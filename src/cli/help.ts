import type { Command } from './command.ts';

const everyCommand = [
  ['--help', 'explain a command'],
  ['--version', 'the version of kintsugi'],
] as const;

/** The help of the whole command line. */
export function helpOfAll(commands: readonly Command[]): string {
  return [
    'kintsugi runs dataflow jobs that mend only what broke.',
    '',
    'Usage: kintsugi COMMAND [options]',
    '',
    ...aligned(commands.map((command) => [usageOf(command), command.about])),
    '',
    ...aligned(everyCommand),
    '',
    '`kintsugi COMMAND --help` lists the options of a command.',
  ].join('\n');
}

/** The help of one command. */
export function helpOf(command: Command): string {
  const options = Object.entries(command.options).map(([name, { type, value = 'VALUE', about, multiple }]) => {
    const given = type === 'boolean' ? `--${name}` : `--${name} ${value}`;
    return [given, multiple === true ? `${about}; may be repeated` : about] as const;
  });
  return [
    `Usage: kintsugi ${usageOf(command)}${options.length > 0 ? ' [options]' : ''}`,
    '',
    `${command.about[0]?.toUpperCase()}${command.about.slice(1)}.`,
    ...(command.details === undefined ? [] : ['', command.details]),
    ...(options.length > 0 ? ['', ...aligned(options)] : []),
  ].join('\n');
}

function usageOf({ name, operands }: Command): string {
  return [name, ...operands].join(' ');
}

function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
