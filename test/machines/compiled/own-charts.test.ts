import { type ActorScope, type AnyMachineSnapshot, createActor, type EventObject } from 'xstate';
import { compiled } from '../../../src/machines/compiled/compiled.ts';
import { bothStories, type Note, type Step, Wording } from './actor-story.ts';
import { type OwnChart, ownCharts } from './own-charts.ts';

const silent: Note = () => {};

interface Reaction {
  readonly snapshot: AnyMachineSnapshot | undefined;
  /** What it would do, and errors. */
  readonly actions: readonly unknown[];
}

/** One form of a chart, which is asked what it would do. */
class Form {
  readonly #machine: ReturnType<OwnChart['make']>;
  readonly #input: object;
  readonly #scope: ActorScope<AnyMachineSnapshot, Step & EventObject>;
  #actions: unknown[] = [];

  constructor({ make, input }: OwnChart, isCompiled: boolean) {
    this.#machine = isCompiled ? compiled(make(silent)) : make(silent);
    this.#input = input(silent);
    // As XState's `transition` makes one for each event, which takes longer than the event.
    const self = createActor(this.#machine, { input: this.#input as never });
    const nothing = (): void => {};
    const named = { id: '', sessionId: '', logger: nothing, system: self.system };
    this.#scope = {
      ...named,
      self,
      defer: nothing,
      emit: nothing,
      stopChild: nothing,
      actionExecutor: ({ type, params }) => void this.#actions.push({ type, params }),
    };
  }

  begin(): Reaction {
    return this.#reaction(() => this.#machine.getInitialSnapshot(this.#scope as never, this.#input as never));
  }

  next(snapshot: AnyMachineSnapshot, event: Step): Reaction {
    return this.#reaction(() => this.#machine.transition(snapshot as never, event as never, this.#scope as never));
  }

  #reaction(next: () => AnyMachineSnapshot): Reaction {
    this.#actions = [];
    try {
      return { snapshot: next(), actions: this.#actions };
    } catch (error) {
      return { snapshot: undefined, actions: [error] };
    }
  }
}

function worded({ snapshot, actions }: Reaction): readonly string[] {
  const wording = new Wording();
  return [snapshot, ...actions].map((one) => wording.text(one));
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
  const reach = (way: Step[], left: Reaction, right: Reaction): void => {
    // Hundreds of thousands of lines are equal.
    const [leftWords, rightWords] = [worded(left), worded(right)];
    if (rightWords.join('\n') !== leftWords.join('\n')) expect(rightWords).toEqual(leftWords);
    if (left.snapshot === undefined || right.snapshot === undefined) return;
    const name = nameOf(left.snapshot);
    if (!reached.has(name)) reached.set(name, { way, left: left.snapshot, right: right.snapshot });
  };
  reach([], interpreted.begin(), compiledForm.begin());
  const continued = new Set<Step[]>();
  for (const { way, ...at } of reached.values()) {
    const statesBefore = reached.size;
    for (const event of chart.events) {
      const [left, right] = [interpreted.next(at.left, event), compiledForm.next(at.right, event)];
      const areIgnored = isIgnored(left, at.left) && isIgnored(right, at.right);
      if (!areIgnored) reach([...way, event], left, right);
    }
    if (reached.size > statesBefore) continued.add(way);
  }
  const ways = [...reached.values()].map(({ way }) => way).filter((way) => !continued.has(way));
  return { states: reached.size, ways };
}

/** Whether it stays as it was, and does nothing. */
function isIgnored({ snapshot, actions }: Reaction, before: AnyMachineSnapshot): boolean {
  return snapshot === before && actions.length === 0;
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
