import { defaultExportOf, importModule } from '../api/job-module.ts';
import { JobModuleError } from '../errors/usage-errors.ts';
import { restartAll } from '../failover/strategies/restart-all.ts';
import { restartIndividual } from '../failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../failover/strategies/restart-pipelined-region.ts';
import type { JobRunOptions } from '../run/run-options.ts';
import { nearestName } from '../nearest-name.ts';
import { CommandLineError } from './command.ts';

type Strategy = NonNullable<JobRunOptions['failoverStrategy']>;

const byName: Readonly<Record<string, () => Strategy>> = { restartPipelinedRegion, restartIndividual, restartAll };

/**
 * The strategy with a name (`restart-all`, `restartAll`), or the default export of a module, which is a path.
 * @throws CommandLineError | JobModuleError (as a rejection)
 */
export async function failoverStrategyOf(given: string, command: string): Promise<Strategy> {
  const name = given.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  if (Object.hasOwn(byName, name)) return (byName[name] as () => Strategy)();
  if (/[\\/]|\.[cm]?[jt]s$/.test(given)) return strategyIn(given);
  const near = nearestName(name, Object.keys(byName));
  const known = Object.keys(byName).join(', ');
  const hint = near === undefined ? `it is one of ${known}, or the path of a module` : `did you mean ${near}?`;
  throw new CommandLineError(`There is no strategy "${given}": ${hint}`, command);
}

async function strategyIn(file: string): Promise<Strategy> {
  const strategy = defaultExportOf(await importModule(file));
  if (strategy !== undefined) return strategy as Strategy;
  const remedy = "Give it one: export default (failure, topology) => ({ kind: 'restart', regions: […] }), or a machine";
  throw new JobModuleError(file, 'has no default export', remedy);
}
