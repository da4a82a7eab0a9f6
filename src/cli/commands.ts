import type { Command } from './command.ts';
import { exportAnswers, listAnswers, removeAnswers } from './commands/answers.ts';
import { explainCommand } from './commands/explain.ts';
import { inspectCommand } from './commands/inspect.ts';
import { listResults, removeResults } from './commands/results.ts';
import { runCommand } from './commands/run.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  ...[runCommand, explainCommand, inspectCommand],
  ...[listResults, removeResults],
  ...[listAnswers, exportAnswers, removeAnswers],
];
