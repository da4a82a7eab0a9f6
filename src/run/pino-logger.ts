import type { Logger } from '../environment.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { hasMethods } from '../foreign-value.ts';

type LogFunction = (data: object, message: string) => void;

/** What is asked of a logger of pino, or of one that is called like it. */
export interface PinoLike {
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
}

/**
 * A logger that passes on to one of pino, which takes the data first: `systemEnvironment({ logger: pinoLogger(pino()) })`.
 * The cause of a failure is its `err`, which pino writes with its stack.
 *
 * @throws InvalidArgumentError unless it has pino's methods
 */
export function pinoLogger(pino: PinoLike): Logger {
  if (!hasMethods(pino, 'debug', 'info', 'warn', 'error')) throw new InvalidArgumentError('pino', pino, 'a logger');
  const to =
    (level: keyof Logger): Logger[keyof Logger] =>
    (message, { cause, ...data } = {}) =>
      pino[level](cause === undefined ? data : { ...data, err: cause }, message);
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}
