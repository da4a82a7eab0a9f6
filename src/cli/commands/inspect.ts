import { section } from '../../api/explain/text-table.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { ReadRecording } from '../../inspector/index.ts';
import { CommandLineError, defineCommand } from '../command.ts';
import type { CommandIo } from '../command-io.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { printable } from '../progress/text-width.ts';

const name = 'inspect';

/** `kintsugi inspect` */
export const inspectCommand = defineCommand({
  name,
  operands: ['FILE|URL'],
  about: 'open a recording in the inspector, or list the runs of a running one',
  details: `FILE is a recording, of run --record FILE or job.run({ record: FILE }); URL one on the web.
It is served on this machine until Ctrl-C.
URL may also be the link to an inspector that is running, with its token: then its runs are listed.`,
  options: { port: { type: 'string', value: 'PORT', about: 'the port; default: one that is free' } },
  async run({ values, operands: [place = ''] }, io) {
    const port = values.port === undefined ? undefined : Number(values.port);
    if (!/^https?:\/\//.test(place)) {
      const { readRecording } = await import('../../inspector/index.ts');
      return serve(await readRecording(place), port, io);
    }
    if (!URL.canParse(place)) throw new CommandLineError(`${place} is no URL. Use the whole link`, name);
    const url = new URL(place);
    if (url.searchParams.has('token')) return listRuns(url, io);
    const { parseRecording } = await import('../../inspector/index.ts');
    return serve(parseRecording(await (await fetched(url)).text(), place), port, io);
  },
});

/** Serves a recording until it is told to stop. */
async function serve(recording: ReadRecording, port: number | undefined, io: CommandIo): Promise<ExitCode> {
  const { inspect } = await import('../../inspector/index.ts');
  const { run, damagedLines, isTorn } = recording;
  if (damagedLines > 0) io.stderr.write(`${damagedLines} lines of the recording are damaged and left out.\n`);
  if (isTorn) io.stderr.write('Its last line is torn: the process that wrote it was killed, or still writes.\n');
  await using inspection = await inspect(recording, { port, keepOpen: true });
  io.stdout.write(`${inspection.url}\n`);
  io.stderr.write(`Open the link to see run ${printable(run.run)} of job "${printable(run.job)}"; Ctrl-C ends it.\n`);
  await new Promise<void>((resolve) => io.onCancel(() => resolve()));
  return exitCodes.done;
}

/** Lists the runs of an inspector. */
async function listRuns(link: URL, io: CommandIo): Promise<ExitCode> {
  const api = new URL('api/runs', link);
  api.search = link.search;
  const runs: unknown = await (await fetched(api)).json();
  const rows = Array.isArray(runs) ? (runs as unknown[]) : [];
  const text = (run: unknown, field: string): string => printable(String(propertyOf(run, field)));
  const lines = section('Runs', rows, (run) => [
    ...['run', 'job', 'status'].map((field) => text(run, field)),
    new Date(Number(propertyOf(run, 'startedAtMs'))).toISOString(),
  ]);
  io.stdout.write(rows.length === 0 ? 'The inspector has no runs.\n' : `${lines.slice(1).join('\n')}\n`);
  io.stderr.write('Open the link in a browser to see and steer them.\n');
  return exitCodes.done;
}

/** @throws CommandLineError (as a rejection) with what to do */
async function fetched(url: URL): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    const { message, cause } = toError(error);
    const problem = cause === undefined ? message : toError(cause).message;
    throw new CommandLineError(
      `${url.origin} does not answer: ${problem}. Is the process of the run still there?`,
      name,
    );
  }
  if (response.ok) return response;
  const hint = response.status === 401 || response.status === 403 ? '. Use the whole link, with its token' : '';
  throw new CommandLineError(`${url.origin} answers ${response.status}${hint}`, name);
}
