import type { JobRun } from 'kintsugi';
import { inspect } from 'kintsugi/inspect';
import { isInspected } from './demo-options.ts';

let url: string | undefined;

/** With `--inspect`, shows a run in the inspector and prints the link once. The page stays until Ctrl+C. */
export async function inspected(run: JobRun): Promise<JobRun> {
  if (!isInspected) return run;
  // Examples run as in production, where breaking a run from the page has to be meant. Here it is.
  const shown = await inspect(run, { keepOpen: true, allowBreaking: true });
  if (url === undefined) console.log(`\nSee it in the inspector: ${shown.url}\n`);
  ({ url } = shown);
  return run;
}

/** Says that the page is still there. */
export function sayStaysOpen(): void {
  if (url !== undefined) console.log(`\nThe inspector stays open until Ctrl+C: ${url}`);
}
