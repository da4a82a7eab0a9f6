import type { VertexProgram } from '../operator-description.ts';
import type { Sink } from '../sink.ts';
import type { ErrorHandling } from './on-error.ts';

/** The sink of an operator's or source's dead letters. */
export interface DeadLetterSink {
  /** The uid of the operator or source. */
  readonly uid: string;
  /** Its name beside those of vertices: what claims its files. */
  readonly vertex: string;
  readonly sink: Sink<unknown>;
}

/** The name of an operator's or source's dead letters beside those of vertices. */
export function deadLettersOf(uid: string): string {
  return `${uid} (dead letters)`;
}

/** The sink of the dead letters of the operator or source `uid`, if it has one. */
export function deadLetterSink(uid: string, handling: ErrorHandling | undefined): DeadLetterSink | undefined {
  if (handling?.reaction.kind !== 'deadLetter') return undefined;
  return { uid, vertex: deadLettersOf(uid), sink: handling.reaction.sink };
}

/** The dead letters' sinks of a vertex whose chain has these uids. */
export function deadLetterSinks(
  { source, operators }: Pick<VertexProgram, 'source' | 'operators'>,
  uids: readonly string[],
): readonly DeadLetterSink[] {
  const handlings: (ErrorHandling | undefined)[] = operators.map(({ errors }) => errors);
  if (source !== undefined) handlings.unshift(source.errors);
  return handlings.flatMap((handling, index) => deadLetterSink(uids[index] as string, handling) ?? []);
}
