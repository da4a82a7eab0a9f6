import { RecordingFormatError } from '../../errors/recording-errors.ts';
import { propertiesOf, propertyOf } from '../../foreign-value.ts';
import { recordingFormat, type RecordingLine, type RunLine } from './recording-line.ts';

/** The lines of a recording, read from its text. */
export interface ReadRecording {
  readonly run: RunLine;
  /** The first is `run`. */
  readonly lines: readonly RecordingLine[];
  /** Lines that were skipped because they are damaged. */
  readonly damagedLines: number;
  /** Whether the last line is torn: the process that wrote it was killed, or still writes. */
  readonly isTorn: boolean;
}

/**
 * Reads a recording. Damaged lines are skipped and counted, and a torn one at the end is left out.
 *
 * @param file for messages
 * @throws RecordingFormatError if it is not a recording, or of a newer version
 */
export function parseRecording(text: string, file: string): ReadRecording {
  const texts = text.split('\n');
  // What follows the last line break was not written to its end.
  const rest = texts.pop() as string;
  const [first] = texts;
  const run = runOf(first ?? rest, file);
  const lines: RecordingLine[] = [];
  let damagedLines = 0;
  for (const each of texts) {
    if (each === '') continue;
    const line = lineOf(each);
    if (line === undefined) damagedLines++;
    else lines.push(line);
  }
  if (first === undefined) lines.push(run);
  return { run, lines, damagedLines, isTorn: rest !== '' && first !== undefined };
}

function runOf(text: string, file: string): RunLine {
  const line = parsed(text);
  const { type, format } = propertiesOf(line, 'type', 'format');
  if (type !== 'run' || typeof format !== 'number') {
    const problem = text === '' ? 'it is empty' : 'it does not begin with a line of type "run"';
    throw new RecordingFormatError(file, `not a recording of kintsugi: ${problem}`);
  }
  if (format > recordingFormat) {
    const problem = `a recording of format ${format}; this version reads formats up to ${recordingFormat}. Use a newer one`;
    throw new RecordingFormatError(file, problem, format);
  }
  if (lineOf(text) === undefined) throw new RecordingFormatError(file, 'the first line of the recording is damaged');
  return line as RunLine;
}

/** A line; undefined if it is damaged. */
function lineOf(text: string): RecordingLine | undefined {
  const line = parsed(text);
  const type = propertyOf(line, 'type');
  if (typeof type !== 'string') return undefined;
  const isWhole = isWholeByType[type] ?? (() => true);
  return isWhole(line) ? (line as RecordingLine) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether a line has the fields without which it cannot be read. Kinds that are not listed are newer. */
const isWholeByType: Readonly<Record<string, (line: unknown) => boolean>> = {
  run: (line) => hasNumbers(line, 'epochMs', 'atMs') && hasLists(line, 'vertices', 'edges'),
  picture: (line) =>
    hasNumbers(line, 'atMs') && hasLists(propertyOf(line, 'picture'), 'regionStates', 'failovers', 'samples', 'charts'),
  event: (line) => {
    const event = propertyOf(line, 'event');
    return typeof propertyOf(event, 'type') === 'string' && hasNumbers(event, 'atMs');
  },
  changes: (line) => hasNumbers(line, 'atMs') && hasLists(line, 'changes'),
  sample: (line) => hasNumbers(line, 'atMs') && hasLists(line, 'vertices', 'storage'),
  chart: (line) => typeof propertyOf(line, 'chart') === 'string' && hasLists(propertyOf(line, 'definition'), 'states'),
  actors: (line) => hasNumbers(line, 'atMs') && hasLists(line, 'started', 'states', 'stopped'),
  trace: (line) => hasNumbers(line, 'atMs', 'actor') && hasLists(line, 'taken', 'actions'),
  gap: (line) => hasNumbers(line, 'atMs', 'lines'),
};

function hasNumbers(value: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof propertyOf(value, name) === 'number');
}

function hasLists(value: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => Array.isArray(propertyOf(value, name)));
}
