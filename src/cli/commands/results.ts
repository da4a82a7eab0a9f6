import { rmdirSync } from 'node:fs';
import { section } from '../../api/explain/text-table.ts';
import { drawRunId } from '../../ids.ts';
import { isStateDirectory, readState, type StateContents } from '../../run/durable/state-contents.ts';
import { removeState } from '../../run/durable/state-directory.ts';
import { counted } from '../../run/folds/counted.ts';
import { formatBytes } from '../../run/folds/job-receipt.ts';
import { CommandLineError, defineCommand } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { jsonLine } from '../progress/json-view.ts';
import { grouped } from '../progress/progress-table.ts';

const listName = 'results ls';
const removeName = 'results rm';

/** `kintsugi results ls` */
export const listResults = defineCommand({
  name: listName,
  operands: ['DIR'],
  about: 'list what a state directory holds',
  options: { json: { type: 'boolean', about: 'as one JSON object' } },
  run({ values, operands: [directory = ''] }, io) {
    const contents = readState(directory);
    if (contents === undefined) throw noState(directory, listName);
    io.stdout.write(values.json === true ? jsonLine(contents) : `${describe(directory, contents)}\n`);
    return Promise.resolve(exitCodes.done);
  },
});

/** `kintsugi results rm` */
export const removeResults = defineCommand({
  name: removeName,
  operands: ['DIR'],
  about: 'delete the results in a state directory, so that the next run begins from the start',
  details: 'Remembered answers stay: see answers rm. Refused while a run uses the directory.',
  options: {},
  run({ operands: [directory = ''] }, io) {
    if (!isStateDirectory(directory)) throw noState(directory, removeName);
    const { clock, random } = io.environment;
    const since = new Date(clock.epochMs()).toISOString();
    removeState(directory, { run: drawRunId(random), job: `kintsugi ${removeName}`, since });
    try {
      rmdirSync(directory);
    } catch {
      // It has other files: remembered answers.
    }
    io.stdout.write(`The results in ${directory} are deleted.\n`);
    return Promise.resolve(exitCodes.done);
  },
});

function noState(directory: string, command: string): CommandLineError {
  return new CommandLineError(`${directory} is no state directory: there is no journal in it. Check the path`, command);
}

function describe(directory: string, contents: StateContents): string {
  const { job, run, beganAtMs, finishedTasks, totalTasks, exchanges } = contents;
  return [
    `Job "${job}" in ${directory}`,
    `  run ${run} began ${timeOf(beganAtMs)}, ${endOf(contents)}`,
    `  ${finishedTasks} of ${counted(totalTasks, 'task')} finished`,
    ...section('Results', exchanges, ({ source, target, exchange, results, tasks, records, bytes, missing }) => [
      `${source} → ${target}`,
      exchange,
      `${results} of ${tasks}`,
      `${grouped(records)} records`,
      formatBytes(bytes),
      missing > 0 ? `${missing} damaged` : '',
    ]),
    ...(exchanges.length === 0 ? ['  no results are kept'] : []),
  ].join('\n');
}

function endOf({ end, owner }: StateContents): string {
  if (end !== undefined) return `${end.status} ${timeOf(end.atMs)}`;
  if (owner === undefined || owner.isDead) return 'and its process died: run the job again to continue';
  return `and runs in process ${owner.pid} on ${owner.host}`;
}

function timeOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
