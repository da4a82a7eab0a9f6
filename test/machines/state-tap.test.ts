import { createActor, setup } from 'xstate';
import { shownState, tapped } from '../../src/machines/state-tap.ts';

const groups = ['open', 'both', 'left'];

//  idle ──▶ open { busy { first } } ──▶ done, at once if `busy` has nothing to do
const chartOf = (isBusy: boolean) =>
  ({
    id: 'small',
    initial: 'idle',
    states: {
      idle: { on: { go: 'open' } },
      open: {
        initial: 'busy',
        states: {
          busy: {
            entry: 'work',
            initial: 'first',
            states: { first: {} },
            ...(isBusy ? {} : { always: '#small.done' }),
          },
        },
      },
      done: {},
    },
  }) as const;

describe('tapped', () => {
  it.each([
    { isBusy: true, does: ['idle', 'busy', 'work'], shown: 'busy' },
    { isBusy: false, does: ['idle', 'busy', 'work', 'done'], shown: 'done' },
  ])('records every state on entry, before its actions, but no groups and no steps: $does', (given) => {
    const does: string[] = [];
    const actions = {
      recordState: (_: unknown, { state }: { state: string }) => does.push(state),
      work: () => does.push('work'),
    };
    const machine = tapped(setup({ actions }), groups).createMachine(chartOf(given.isBusy));
    const actor = createActor(machine).start();
    actor.send({ type: 'go' });
    expect(does).toEqual(given.does);
    expect(shownState(actor.getSnapshot().value, groups)).toBe(given.shown);
  });
});

describe('shownState', () => {
  it.each([
    ['idle', 'idle'],
    [{ open: 'busy' }, 'busy'],
    [{ open: { busy: 'first' } }, 'busy'],
    [{ both: { left: 'open', right: 'well' } }, 'right'],
  ])('of %j is %s', (value, shown) => {
    expect(shownState(value, groups)).toBe(shown);
  });
});
