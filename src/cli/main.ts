import { nearestName } from '../nearest-name.ts';
import { type Command, CommandLineError, givenTo } from './command.ts';
import { colorsOf, type CommandIo } from './command-io.ts';
import { commands } from './commands.ts';
import { errorReport, exitCodeOf } from './error-report.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { helpOf, helpOfAll } from './help.ts';
import { version } from '../version.ts';

/** Does what the arguments of the command line ask for, and returns the exit code. Never throws. */
export async function commandLine(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    return await execute(args, io);
  } catch (error) {
    io.stderr.write(errorReport(error, colorsOf(io.stderr, io.env)));
    return exitCodeOf(error);
  }
}

async function execute(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [first] = args;
  if (first === '--version' || first === '-v') {
    io.stdout.write(`${version}\n`);
    return exitCodes.done;
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    io.stdout.write(`${helpOfAll(commands)}\n`);
    return exitCodes.done;
  }
  const command = commandNamed(args);
  const rest = args.slice(command.name.split(' ').length);
  const end = rest.indexOf('--');
  if (rest.slice(0, end < 0 ? rest.length : end).some((arg) => arg === '--help' || arg === '-h')) {
    io.stdout.write(`${helpOf(command)}\n`);
    return exitCodes.done;
  }
  return command.run(givenTo(command, rest), io);
}

/** @throws CommandLineError if there is none */
function commandNamed(args: readonly string[]): Command {
  const found = commands.find(({ name }) => name.split(' ').every((word, index) => args[index] === word));
  if (found !== undefined) return found;
  const [first, second = ''] = args as readonly [string, ...string[]];
  const within = commands.map(({ name }) => name).filter((name) => name.startsWith(`${first} `));
  if (within.length > 0) throw new CommandLineError(`${first} needs one of its commands: ${within.join(', ')}`);
  const near =
    nearestName(
      first,
      commands.map(({ name }) => name),
    ) ??
    nearestName(
      `${first} ${second}`,
      commands.map(({ name }) => name),
    );
  throw new CommandLineError(`There is no command "${first}"${near === undefined ? '' : `: did you mean ${near}?`}`);
}
