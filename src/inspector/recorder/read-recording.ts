import { readFile } from 'node:fs/promises';
import { fileProblem } from '../../connectors/file-problem.ts';
import { parseRecording, type ReadRecording } from '../recording/recording-text.ts';

/**
 * Reads the recording of a run from a file, also of one that still runs or was killed.
 *
 * @throws FileAccessError | RecordingFormatError (as a rejection)
 */
export async function readRecording(file: string): Promise<ReadRecording> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw fileProblem(file, 'read', error);
  }
  return parseRecording(text, file);
}
