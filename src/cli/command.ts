import { parseArgs } from 'node:util';
import { nearestName } from '../nearest-name.ts';
import type { CommandIo } from './command-io.ts';
import type { ExitCode } from './exit-code.ts';

/** An option of a command. */
export interface CommandOption {
  readonly type: 'string' | 'boolean';
  /** Whether it may be given more than once. */
  readonly multiple?: true;
  /** What its value is, in the help: `FILE`. */
  readonly value?: string;
  readonly about: string;
}

type ValueOf<Option extends CommandOption> = Option['type'] extends 'boolean'
  ? boolean
  : Option extends { readonly multiple: true }
    ? readonly string[]
    : string;

/** Options by name. */
export type CommandOptions = Readonly<Record<string, CommandOption>>;

/** What was given to a command. */
export interface Given<Options extends CommandOptions> {
  readonly values: { readonly [Name in keyof Options]?: ValueOf<Options[Name]> | undefined };
  readonly operands: readonly string[];
}

/** A command: its description, for the help and the parser, and what it does. */
export interface Command<Options extends CommandOptions = CommandOptions> {
  /** `results ls` */
  readonly name: string;
  /** `job.ts`; those in brackets may be left out: `[task]`. */
  readonly operands: readonly string[];
  readonly about: string;
  /** Further lines of its help. */
  readonly details?: string;
  readonly options: Options;
  run(given: Given<Options>, io: CommandIo): Promise<ExitCode>;
}

/** Declares a command, with the types of its options. */
export function defineCommand<const Options extends CommandOptions>(command: Command<Options>): Command {
  return command as unknown as Command;
}

/** A command was called in a way that it does not understand. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError';
  /** The command whose help tells more; undefined for the whole. */
  readonly command: string | undefined;

  constructor(problem: string, command?: string) {
    super(problem);
    this.command = command;
  }
}

/**
 * The options and operands in the arguments of a command.
 * @throws CommandLineError
 */
export function givenTo<Options extends CommandOptions>(
  command: Pick<Command<Options>, 'name' | 'operands' | 'options'>,
  args: readonly string[],
): Given<Options> {
  const { name: called, options, operands } = command;
  const spec = Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
  );
  const { tokens, positionals, values } = parseArgs({
    args: [...args],
    options: spec,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const problem = problemOf(token, options);
    if (problem !== undefined) throw new CommandLineError(problem, called);
  }
  const least = operands.filter((operand) => !operand.startsWith('['));
  const missing = least[positionals.length];
  if (missing !== undefined) throw new CommandLineError(`${missing} is missing`, called);
  const extra = positionals[operands.length];
  if (extra !== undefined) throw new CommandLineError(`"${extra}" is one argument too many`, called);
  return { values: values as Given<Options>['values'], operands: positionals };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function problemOf({ name, rawName, value, inlineValue }: OptionToken, options: CommandOptions): string | undefined {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    const near = nearestName(name, Object.keys(options));
    return `There is no option ${rawName}${near === undefined ? '' : `: did you mean --${near}?`}`;
  }
  if (option.type === 'boolean') return value === undefined ? undefined : `${rawName} takes no value`;
  const isTaken = value !== undefined && value !== '' && (inlineValue === true || !value.startsWith('--'));
  return isTaken ? undefined : `${rawName} needs a value: ${rawName} ${option.value ?? 'VALUE'}`;
}
