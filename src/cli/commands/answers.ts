import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { section } from '../../api/explain/text-table.ts';
import {
  type AnswerFilter,
  type RememberedAnswers,
  rememberedAnswers,
} from '../../operators/answers/remembered-answers.ts';
import { counted } from '../../run/folds/counted.ts';
import { formatBytes } from '../../run/folds/job-receipt.ts';
import { CommandLineError, defineCommand, type Given } from '../command.ts';
import type { CommandIo, TextSink } from '../command-io.ts';
import { exitCodes } from '../exit-code.ts';
import { jsonLine } from '../progress/json-view.ts';

const removeName = 'answers rm';

const filterOptions = {
  operator: { type: 'string', value: 'UID', about: 'only those of this operator' },
  version: { type: 'string', value: 'VERSION', about: 'only those of this version of it, as answers ls shows it' },
  key: { type: 'string', value: 'KEY', about: 'only the one with this key' },
  before: {
    type: 'string',
    value: 'TIME',
    about: 'only those remembered before a time: 2026-11-28, 2026-11-28T09:00Z',
  },
} as const;

/** `kintsugi answers ls` */
export const listAnswers = defineCommand({
  name: 'answers ls',
  operands: ['DIR'],
  about: 'list the remembered answers of paid calls, by operator and version',
  details: 'DIR is a state directory, or a directory of answers.',
  options: { json: { type: 'boolean', about: 'a line of JSON for each operator and version' } },
  async run({ values, operands: [directory = ''] }, io) {
    const operators = await answersIn(directory, 'answers ls', io).list();
    if (values.json === true) for (const operator of operators) io.stdout.write(jsonLine(operator));
    else if (operators.length === 0) io.stdout.write(`There are no answers in ${directory}.\n`);
    else {
      const lines = section('Answers', operators, ({ operator, version, answers, bytes, oldestMs, newestMs }) => [
        `"${operator}"`,
        `version ${version}`,
        counted(answers, 'answer'),
        formatBytes(bytes),
        `${new Date(oldestMs).toISOString()} to ${new Date(newestMs).toISOString()}`,
      ]);
      io.stdout.write(`${lines.slice(1).join('\n')}\n`);
    }
    return exitCodes.done;
  },
});

/** `kintsugi answers export` */
export const exportAnswers = defineCommand({
  name: 'answers export',
  operands: ['DIR'],
  about: 'write remembered answers to stdout, a line of JSON each',
  options: filterOptions,
  async run({ values, operands: [directory = ''] }, io) {
    const answers = answersIn(directory, 'answers export', io);
    for await (const { rememberedAtMs, ...answer } of answers.export(filterOf(values, 'answers export'))) {
      await written(io.stdout, jsonLine({ ...answer, rememberedAt: new Date(rememberedAtMs).toISOString() }));
    }
    return exitCodes.done;
  },
});

/** `kintsugi answers rm` */
export const removeAnswers = defineCommand({
  name: removeName,
  operands: ['DIR'],
  about: 'delete remembered answers, so that their calls are made again',
  details: 'Refused while a run uses the directory.',
  options: { ...filterOptions, all: { type: 'boolean', about: 'all of them' } },
  async run({ values: { all, ...values }, operands: [directory = ''] }, io) {
    const filter = filterOf(values, removeName);
    const isFiltered = Object.values(filter).some((given) => given !== undefined);
    if (isFiltered === (all === true)) {
      const names = Object.keys(filterOptions).map((name) => `--${name}`);
      throw new CommandLineError(`Say which answers: ${names.join(', ')}, or else --all`, removeName);
    }
    const count = await answersIn(directory, removeName, io).drop(filter);
    io.stdout.write(`${counted(count, 'answer')} deleted.\n`);
    return exitCodes.done;
  },
});

function answersIn(directory: string, command: string, { environment }: CommandIo): RememberedAnswers {
  if (!existsSync(directory)) throw new CommandLineError(`${directory} does not exist. Check the path`, command);
  const inState = join(directory, 'answers');
  return rememberedAnswers(existsSync(inState) ? inState : directory, { environment });
}

function filterOf(
  { operator, version, key, before }: Given<typeof filterOptions>['values'],
  command: string,
): AnswerFilter {
  const beforeMs = before === undefined ? undefined : Date.parse(before);
  if (Number.isNaN(beforeMs))
    throw new CommandLineError(`--before ${before}: expected a time like 2026-11-28T09:00Z`, command);
  return { operator, version, key, beforeMs };
}

/** Waits for a slow reader, so that a long export does not pile up in memory. */
function written(sink: TextSink, text: string): Promise<void> {
  return new Promise((resolve) => sink.write(text, resolve));
}
