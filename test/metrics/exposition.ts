/** A sample in the text format of Prometheus. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a text in the format of Prometheus says: every line must be understood. */
export function readExposition(text: string): {
  readonly types: ReadonlyMap<string, string>;
  readonly samples: Sample[];
} {
  expect(text.endsWith('\n')).toBe(true);
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      if (types.has(type[1] as string)) throw new Error(`A second type of one name: ${line}`);
      types.set(type[1] as string, type[2] as string);
      continue;
    }
    if (/^# HELP [a-z_]+ [^\n]+$/.test(line)) continue;
    const found = /^([a-z_]+)\{((?:[a-z]+="(?:[^"\\]|\\[\\"n])*",?)*)\} (-?[\d.e+-]+|\+Inf)$/.exec(line);
    if (found === null) throw new Error(`Not a line of the format: ${line}`);
    const [, name = '', given = '', value] = found;
    const isDeclared = types.has(name.replace(/_(bucket|sum|count)$/, '')) || types.has(name);
    if (!isDeclared) throw new Error(`A sample of a name without a type: ${line}`);
    const labels = [...given.matchAll(/([a-z]+)="((?:[^"\\]|\\[\\"n])*)"/g)].map(([, label, escaped = '']) => [
      label,
      escaped.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter)),
    ]);
    samples.push({ name, labels: Object.fromEntries(labels), value: Number(value) });
  }
  return { types, samples };
}

/** The value of the only sample with these labels, among others; undefined if there is none. */
export function valueOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const found = readExposition(text).samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.value;
}
