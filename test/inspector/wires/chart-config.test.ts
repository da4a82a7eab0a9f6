import { createMachine } from 'xstate';
import { chartDefinition } from '../../../src/inspector/tap/chart-definition.ts';
import {
  chartConfig,
  type ConfigDialect,
  dialectOfV4,
  dialectOfV5,
} from '../../../src/inspector/wires/chart-config.ts';

const machine = createMachine({
  id: 'kettle',
  initial: 'off',
  on: { broken: '.off' },
  states: {
    off: { on: { switch: { target: 'on', guard: 'hasWater', actions: 'click' } } },
    on: {
      type: 'parallel',
      tags: ['hot'],
      entry: 'light',
      exit: { type: 'dim' },
      states: { lamp: {}, water: { initial: 'cold', states: { cold: {}, boiling: { type: 'final' } } } },
      invoke: { src: 'thermostat', id: 'thermostat', onDone: 'off' },
      after: { 500: 'off' },
      onDone: { target: 'off', actions: ['whistle', 'click'] },
      always: { guard: 'isEmpty', target: 'off' },
    },
    before: { type: 'history' },
  },
} as never);

function config(dialect: ConfigDialect) {
  return chartConfig('kettle', chartDefinition(machine), dialect) as Readonly<Record<string, unknown>>;
}

describe.each<[version: string, dialect: ConfigDialect, guard: string, events: string[]]>([
  ['4', dialectOfV4, 'cond', ['done.invoke.thermostat', 'done.state.kettle.on', 'xstate.after(500)#kettle.on']],
  [
    '5',
    dialectOfV5,
    'guard',
    ['xstate.after.500.kettle.on', 'xstate.done.actor.thermostat', 'xstate.done.state.kettle.on'],
  ],
])('the configuration of a machine for XState %s', (_, dialect, guard, events) => {
  const { states, on } = config(dialect) as Record<'states' | 'on', Record<string, Record<string, unknown>>>;

  it('has its states, with their types, tags and actions by name', () => {
    expect(config(dialect)).toMatchObject({ id: 'kettle', key: 'kettle', initial: 'off' });
    expect(states['on']).toMatchObject({
      type: 'parallel',
      tags: ['hot'],
      entry: [{ type: 'light' }],
      exit: [{ type: 'dim' }],
      invoke: [{ id: 'thermostat', src: 'thermostat' }],
      states: { water: { initial: 'cold', states: { boiling: { type: 'final' } } } },
    });
    expect(states['before']).toMatchObject({ type: 'history' });
  });

  it('has its transitions, with targets by id and guards by name', () => {
    expect(on).toEqual({ broken: [{ target: ['#kettle.off'], actions: [] }] });
    expect(states['off']?.['on']).toEqual({
      switch: [{ target: ['#kettle.on'], [guard]: 'hasWater', actions: [{ type: 'click' }] }],
    });
    expect(states['on']?.['always']).toEqual([{ target: ['#kettle.off'], [guard]: 'isEmpty', actions: [] }]);
  });

  it('calls the events of XState as that version does', () => {
    expect(Object.keys(states['on']?.['on'] as object).sort()).toEqual(events);
  });
});

it('a configuration for XState 5 makes the same machine again', () => {
  const again = createMachine(JSON.parse(JSON.stringify(config(dialectOfV5))) as never);
  expect(chartDefinition(again)).toEqual(chartDefinition(machine));
});
