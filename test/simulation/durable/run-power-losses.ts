import { eachSeed } from '../each-seed.ts';
import { answeredHistory } from './answered-history.ts';
import { journalHistory } from './journal-history.ts';

/** Totals over drawn journals that go through power losses and killed processes. */
export interface JournalsSummary {
  readonly passed: number;
  /** Failed histories, by seed. */
  readonly failures: readonly string[];
  readonly runs: number;
  /** Entries that were written, and those of them that a later run did not find. */
  readonly written: number;
  readonly lost: number;
}

/** Likewise over drawn runs that remember their answers. */
export interface AnswersSummary extends Pick<JournalsSummary, 'passed' | 'failures' | 'runs'> {
  /** Calls made, and those of them for records that an earlier process had called for. */
  readonly calls: number;
  readonly again: number;
}

/** Goes through `count` drawn journals, from seed `first` on. @param tell gets failures and progress */
export async function runJournals(
  first: number,
  count: number,
  tell: (line: string) => void,
): Promise<JournalsSummary> {
  const sum = { runs: 0, written: 0, lost: 0 };
  const failures = await eachSeed({ first, count, what: 'journals', repeat: '--journals', tell }, async (seed) => {
    const { problems, runs, written, lost } = await journalHistory(seed);
    sum.runs += runs;
    sum.written += written;
    sum.lost += lost;
    return problems;
  });
  return { passed: count - failures.length, failures, ...sum };
}

/** Goes through `count` drawn runs that remember their answers, from seed `first` on. @param tell gets failures and progress */
export async function runAnswers(first: number, count: number, tell: (line: string) => void): Promise<AnswersSummary> {
  const sum = { runs: 0, calls: 0, again: 0 };
  const failures = await eachSeed({ first, count, what: 'answers', repeat: '--answers', tell }, async (seed) => {
    const { problems, runs, calls, again } = await answeredHistory(seed);
    sum.runs += runs;
    sum.calls += calls;
    sum.again += again;
    return problems;
  });
  return { passed: count - failures.length, failures, ...sum };
}
