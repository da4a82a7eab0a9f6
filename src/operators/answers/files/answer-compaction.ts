import type { AnswerFiles } from './answer-files.ts';
import type { AnswerSegment } from './answer-segment.ts';
import type { NewAnswer } from './answer-record.ts';
import type { AnswerWriter } from './answer-writer.ts';

/** How many small files may lie in a directory. */
const mostSmall = 8;

/** An answer that is written anew. */
export interface KeptAnswer extends NewAnswer {
  readonly atMs: number;
}

/** Answers written at once. */
const batch = 256;

/**
 * The files worth writing anew: those whose larger part is no longer live, and the small ones if there are many. Only
 * files that grow no more.
 *
 * @param smallBytes size of a file that is small
 */
export function wastefulSegments(files: AnswerFiles, smallBytes: number): AnswerSegment[] {
  const finished = files.segments.filter((segment) => files.isFinished(segment));
  const small = finished.filter((segment) => segment.size() < smallBytes);
  const isCrowded = small.length > mostSmall;
  return finished.filter((segment) => {
    const isMostlyDead = files.liveBytesOf(segment) * 2 < segment.size();
    // Next to nothing is gained by writing a few bytes anew.
    return isCrowded ? isMostlyDead || small.includes(segment) : isMostlyDead && segment.size() >= smallBytes;
  });
}

/**
 * Writes the live answers of `segments` that `keeps` to a file of `create`, with the calls in flight, and then deletes the
 * segments. If the process
 * dies meanwhile, some answers are there twice, and none is lost. Two processes may do so at once. Yields now and then.
 */
export async function* rewriteSegments(
  files: AnswerFiles,
  segments: readonly AnswerSegment[],
  create: () => AnswerWriter,
  keeps: (answer: KeptAnswer) => boolean = () => true,
): AsyncGenerator<undefined, number> {
  let writer: AnswerWriter | undefined;
  let number = -1;
  let dropped = 0;
  const begin = (): AnswerWriter => {
    const begun = create();
    number = files.addOwn(begun.name);
    return begun;
  };
  for (const answers of batchesOf(files, segments)) {
    const kept = answers.filter(keeps);
    dropped += answers.length - kept.length;
    yield;
    if (kept.length === 0) continue;
    writer ??= begin();
    for (const [index, place] of writer.append(0, kept).entries()) {
      files.set((kept[index] as NewAnswer).identity, number, place.offset, place.length);
    }
  }
  const unanswered = files.unansweredIn(segments);
  if (unanswered.length > 0) {
    writer ??= begin();
    writer.append(0, [], [{ kind: 'begun', hashes: unanswered }]);
    for (const hash of unanswered) files.setUnanswered(hash, number);
  }
  if (writer !== undefined) {
    writer.end();
    files.endOwn(number);
    // The old files go once the new one survives a power loss.
    await writer.sync();
  }
  for (const segment of segments) files.remove(segment);
  await writer?.close();
  return dropped;
}

function* batchesOf(files: AnswerFiles, segments: readonly AnswerSegment[]): Generator<KeptAnswer[]> {
  let answers: KeptAnswer[] = [];
  for (const { head, payload, origin } of files.live(segments)) {
    // Without its operator and version, which were damaged, it can be found but not listed.
    const { isError, atMs, hash, key, format, packedAt } = head;
    const identity = { ...hash, key };
    answers.push({
      origin: origin ?? unknownOrigin,
      identity,
      isError,
      atMs,
      packed: { content: payload.slice(packedAt), format },
    });
    if (answers.length < batch) continue;
    yield answers;
    answers = [];
  }
  yield answers;
}

/** What is listed for an answer whose operator and version are damaged. */
export const unknownOrigin = { operator: '', version: '' } as const;
