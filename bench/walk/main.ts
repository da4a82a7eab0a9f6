import { parseArgs } from 'node:util';
import { leftOut } from './left-out.ts';
import { loadInstrumented } from './load-instrumented.ts';
import { formatReport, formatTrace, reportOf } from './report.ts';
import { Walker } from './walker.ts';

const usage = `Follows the engine through one event, and counts the files of src/ that it enters and the switches between them.

  failure        one failure, from the throw in an operator until its region runs again
  batch          one batch over a reliable exchange, from the producer's operator to the consumer's
  --trace        every function that is entered, in order, indented by its depth on the stack
  --json         the counts as JSON; with --trace also the sequence

A switch is a function entry in another file than the entry before it. Returns and continuations after an await do not count.
Observers are left out; the list is printed.
`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const walks = ['failure', 'batch'];
const [walk, ...others] = positionals;
if (options.help || walk === undefined || others.length > 0 || !walks.includes(walk)) {
  console.log(usage);
  process.exit(options.help ? 0 : 1);
}

interface WalkModule {
  readonly what: string;
  readonly walk: (walker: Walker) => Promise<void>;
}

const walker = new Walker(leftOut);
walker.install();
loadInstrumented(new URL('../../src/', import.meta.url).href);
const chosen = (await import(`./${walk}.ts`)) as WalkModule;
await chosen.walk(walker);
walker.assertSound();
const { entries } = walker;
const report = reportOf(walk, chosen.what, entries, leftOut);
if (options.json) {
  console.log(JSON.stringify({ ...report, ...(options.trace && { trace: entries }) }, undefined, 2));
} else {
  console.log(options.trace ? `${formatTrace(entries)}\n\n${formatReport(report)}` : formatReport(report));
}
