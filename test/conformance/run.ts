import { join } from 'node:path';
import { handlers } from './handlers.ts';
import { type Outcome, readCases, readDeviations, report, runCase } from './conformance-runner.ts';

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

/**
 * Runs files of cases and prints a report. The exit code is 1 if a case failed, has a word that the runner does not know,
 * or a file could not be read.
 */
async function main(files: readonly string[]): Promise<number> {
  if (files.length === 0) {
    process.stderr.write('Usage: npm run conformance -- FILE…\n');
    return 1;
  }
  const deviations = readDeviations(join(import.meta.dirname, 'deviations.md'));
  const outcomes: Outcome[] = [];
  let unreadable = 0;
  for (const file of files) {
    try {
      for (const raw of readCases(file)) outcomes.push(await runCase(raw, handlers, deviations));
    } catch (error) {
      unreadable++;
      print(`FAILED to read ${file}: ${(error as Error).message}`);
    }
  }
  for (const line of report(outcomes)) print(line);
  return unreadable > 0 || outcomes.some(({ verdict }) => verdict.kind === 'failed' || verdict.kind === 'refused')
    ? 1
    : 0;
}

process.exitCode = await main(process.argv.slice(2));
