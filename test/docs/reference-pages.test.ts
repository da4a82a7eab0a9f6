import { diagnosticsChannels } from 'kintsugi';
import { metricDefinitions } from 'kintsugi/metrics';
import { commands } from '../../src/cli/commands.ts';
import { exitCodes } from '../../src/cli/exit-code.ts';
import { tableRows, ticked } from './tables.ts';

describe('docs/metrics.md', () => {
  const rows = tableRows('metrics.md');

  it('lists each metric with its kind and labels', () => {
    const listed = rows.flatMap(([names, kind, labels]) =>
      ticked(names)
        .filter((name) => name.startsWith('kintsugi_'))
        .map((name) => [name, { kind, labels: ['job', ...ticked(labels)] }]),
    );
    const defined = Object.entries(metricDefinitions).map(([name, { kind, labels }]) => [
      name,
      { kind, labels: [...labels] },
    ]);
    expect(listed).toEqual(defined);
  });

  it('lists each channel with its events', () => {
    const listed = rows.flatMap(([channel, events]) => {
      const [name] = ticked(channel);
      return name?.startsWith('kintsugi:') === true ? ticked(events).map((event) => [event, name]) : [];
    });
    expect(Object.fromEntries(listed)).toEqual(diagnosticsChannels);
  });
});

describe('docs/command-line.md', () => {
  const cells = tableRows('command-line.md').map(([first]) => first ?? '');

  it('lists each command', () => {
    const listed = cells.flatMap(ticked).filter((text) => /^[a-z]/.test(text));
    for (const { name, operands } of commands) {
      expect(listed).toContain([name, ...operands].join(' ').replace('|', '\\|'));
    }
  });

  it('lists each option of run', () => {
    const run = commands.find(({ name }) => name === 'run');
    const text = tableRows('command-line.md').flat().join(' ');
    for (const option of Object.keys(run?.options ?? {})) expect(text).toContain(`--${option}`);
  });

  it('lists each exit code', () => {
    const listed = cells.filter((cell) => /^[\d, ]+$/.test(cell)).flatMap((cell) => cell.split(', '));
    expect(listed.map(Number)).toEqual(Object.values(exitCodes));
  });
});
