import { type AnyMachineSnapshot, initialTransition, transition } from 'xstate';
import { compiled } from '../../../src/machines/compiled/compiled.ts';
import { bothStories, type Note, type Step, Wording } from './actor-story.ts';
import { type OwnChart, ownCharts } from './own-charts.ts';

const silent: Note = () => {};

/** One form of a chart, which is asked what it would do. */
class Form {
  readonly #machine: ReturnType<OwnChart['make']>;
  readonly #input: object;

  constructor({ make, input }: OwnChart, isCompiled: boolean) {
    this.#machine = isCompiled ? compiled(make(silent)) : make(silent);
    this.#input = input(silent);
  }

  begin() {
    return this.#worded(() => initialTransition(this.#machine, this.#input as never));
  }

  next(snapshot: AnyMachineSnapshot, event: Step) {
    return this.#worded(() => transition(this.#machine, snapshot as never, event as never));
  }

  #worded(reaction: () => readonly [unknown, readonly { readonly type: string; readonly params: unknown }[]]) {
    const wording = new Wording();
    try {
      const [snapshot, actions] = reaction();
      const words = [snapshot, ...actions.map(({ type, params }) => ({ type, params }))];
      return { snapshot: snapshot as AnyMachineSnapshot, words: words.map((one) => wording.text(one)) };
    } catch (error) {
      return { snapshot: undefined, words: [wording.text(error)] };
    }
  }
}

/**
 * Walks through every state that a chart reaches by its events, and compares both forms at every event in each. Returns
 * ways that lead through all states: those that no other continues.
 */
function walk(chart: OwnChart): { readonly states: number; readonly ways: readonly Step[][] } {
  const interpreted = new Form(chart, false);
  const compiledForm = new Form(chart, true);
  // Events of one type may carry what makes no sense in a state: then both forms fail alike.
  const nameOf = ({ status, value, context }: AnyMachineSnapshot): string =>
    JSON.stringify([status, value, chart.state(context as never)]);
  const reached = new Map<string, { way: Step[]; left: AnyMachineSnapshot; right: AnyMachineSnapshot }>();
  const reach = (way: Step[], left: ReturnType<Form['begin']>, right: typeof left): void => {
    // Hundreds of thousands of lines are equal.
    if (right.words.join('\n') !== left.words.join('\n')) expect(right.words).toEqual(left.words);
    if (left.snapshot === undefined || right.snapshot === undefined) return;
    const name = nameOf(left.snapshot);
    if (!reached.has(name)) reached.set(name, { way, left: left.snapshot, right: right.snapshot });
  };
  reach([], interpreted.begin(), compiledForm.begin());
  const continued = new Set<Step[]>();
  for (const { way, ...at } of reached.values()) {
    const statesBefore = reached.size;
    for (const event of chart.events) {
      reach([...way, event], interpreted.next(at.left, event), compiledForm.next(at.right, event));
    }
    if (reached.size > statesBefore) continued.add(way);
  }
  const ways = [...reached.values()].map(({ way }) => way).filter((way) => !continued.has(way));
  return { states: reached.size, ways };
}

describe.each(Object.entries(ownCharts))('the %s chart', (_, chart) => {
  it('CF1: behaves as its interpreted form does, at every event in every state that it reaches', async () => {
    const { states, ways } = walk(chart);
    expect(states).toBeGreaterThan(3);
    const { make, input, events } = chart;
    const asked = events.filter((_event, index) => index % 4 === 0);
    for (const way of ways) {
      const [interpreted, compiledForm] = await bothStories(make, { steps: way, input, asked });
      expect(compiledForm).toEqual(interpreted);
    }
  });
});
