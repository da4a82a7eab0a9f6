import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Bench, type BenchRow, formatTable, isReached } from './harness.ts';
import { fallenBehind, publish, readFigures } from './published/figures.ts';

const usage = `Measures the cost of the engine, beside baselines in the same run.

  NAME …         only benches whose name contains one of these (--only NAME says the same)
  --effort N     N times as many rounds (default 1; 0.2 for a quick look)
  --json         prints the rows as JSON instead of a table
  --publish      keeps the figures, and writes the tables of the README and of docs/performance.md
  --readme       writes these tables from the figures that are kept, and measures nothing
  --check        fails if a published ratio has fallen by more than a tenth
  --list         lists the names
`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    effort: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    publish: { type: 'boolean', default: false },
    readme: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const effort = Number(options.effort);
if (options.help || !(effort > 0)) {
  console.log(usage);
  process.exit(options.help ? 0 : 1);
}

if (options.readme) {
  publish([]);
  process.exit(0);
}

/** The benches of the other files in this folder, which are bundled beside this one (`bundled`). */
async function siblings(): Promise<Bench[]> {
  const files = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && !['main.ts', 'harness.ts'].includes(file))
    .sort();
  const benches: Bench[] = [];
  for (const file of files) {
    const bundled: string = `./${file.replace(/\.ts$/, '.js')}`;
    const module = (await import(bundled)) as { readonly benches?: readonly Bench[] };
    benches.push(...(module.benches ?? []));
  }
  return benches;
}

const wanted = [...positionals, ...(options.only ?? [])];
const all = await siblings();
const unknown = wanted.filter((part) => !all.some(({ name }) => name.includes(part)));
if (unknown.length > 0) {
  console.error(`No bench is called ${unknown.join(' or ')}. --list shows the names`);
  process.exit(1);
}
const chosen = all.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
if (options.list) {
  console.log(chosen.map(({ name }) => name).join('\n'));
  process.exit(0);
}
const rows: BenchRow[] = [];
const broken: string[] = [];
for (const bench of chosen) {
  process.stderr.write(`${bench.name} …\n`);
  try {
    rows.push(...(await bench.run({ effort })));
  } catch (error) {
    // The others have taken minutes.
    console.error(error);
    broken.push(`The bench ${bench.name} is broken: it has no rows`);
  }
}
const fallen = options.check ? fallenBehind(rows, readFigures()) : [];
if (options.publish) publish(rows);
if (options.json) {
  console.log(
    JSON.stringify(
      rows.map((row) => ({ ...row, reached: isReached(row) })),
      undefined,
      2,
    ),
  );
} else {
  console.log(formatTable(rows));
}
for (const line of [...fallen, ...broken]) console.error(line);
process.exitCode = fallen.length + broken.length > 0 ? 1 : 0;
