/** A range of seeds, and who is told of them. */
interface Seeds {
  readonly first: number;
  readonly count: number;
  /** What is drawn, in the plural, and the options of `npm run simulate` that repeat one. */
  readonly what: string;
  readonly repeat: string;
  /** Gets failures, and occasionally the progress: silence on a busy machine must not look like a run that is stuck. */
  readonly tell: (line: string) => void;
}

/** Runs each seed of a range, and returns the failures. @param problemsOf returns what is wrong, or throws it */
export async function eachSeed(
  { first, count, what, repeat, tell }: Seeds,
  problemsOf: (seed: number) => Promise<readonly string[]>,
): Promise<string[]> {
  const failures: string[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const problems = await problemsOf(seed).catch((error: unknown) => [(error as Error).message]);
    if (problems.length > 0) {
      failures.push(`seed ${seed} (npm run simulate -- ${repeat} --seeds 1 --seed ${seed}): ${problems.join('\n  ')}`);
      tell(`${failures.at(-1)}\n`);
    }
    const done = seed - first + 1;
    if (done % 20 === 0) tell(`… ${done} of ${count} ${what}, ${failures.length} failed`);
  }
  return failures;
}
