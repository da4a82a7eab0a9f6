import { delayActor } from '../../src/actors/delay-actor.ts';
import { isTerminalJobStatus } from '../../src/actors/protocol/states.ts';
import { engineChart } from '../../src/machines/engine-chart.ts';
import { executionActions } from '../../src/machines/execution/execution-actions.ts';
import { executionMachine } from '../../src/machines/execution/execution-machine.ts';
import { jobCharts } from '../../src/machines/job-charts.ts';
import type { JobCharts } from '../../src/machines/job-services.ts';
import { type Strike, World } from './order-world.ts';

interface Orders {
  readonly strikes: readonly Strike[];
  readonly charts?: JobCharts;
}

/** Two walks are long: they end early, unless EVERY_ORDER is set. */
const mostStates = process.env['EVERY_ORDER'] === undefined ? 1_500 : Number.POSITIVE_INFINITY;

/** Walks through every state that some order of messages leads to. Returns their number, and that of the ends. */
function walk({ strikes, charts }: Orders): { readonly states: number; readonly endings: number } {
  const seen = new Set<string>();
  const paths: (readonly string[])[] = [[]];
  let endings = 0;
  let before: World | undefined;
  for (let path = paths.pop(); path !== undefined && seen.size < mostStates; path = paths.pop()) {
    // The path that was pushed last goes on in the world at hand. Others begin anew.
    const world: World = before ?? new World(strikes, charts);
    for (const name of before === undefined ? path : path.slice(-1)) world.act(name);
    before = undefined;
    const { key } = world;
    if (seen.has(key)) continue;
    seen.add(key);
    expect({ path, unfounded: world.unfounded }).toEqual({ path, unfounded: [] });
    const names = [...world.next().keys()];
    if (names.every((name) => !/hears|is heard|ends on/.test(name))) {
      if (isTerminalJobStatus(world.cluster.status)) {
        expect({ path, ...endOf(world) }).toEqual({ path, ...rightEnd(world, strikes) });
        endings++;
        continue;
      }
      names.push('time passes');
    }
    for (const name of names) paths.push([...path, name]);
    before = world;
  }
  return { states: seen.size, endings };
}

function endOf({ cluster, wires }: World) {
  const failed = cluster.events.flatMap((event) => (event.type === 'task.failed' ? [event] : []));
  return {
    status: cluster.status,
    tasks: [...new Set(cluster.tasks.map((task) => cluster.stateOf(task)))].sort(),
    regions: [...new Set(cluster.tasks.map((task) => cluster.regionStateOf(task)))].sort(),
    running: wires.flatMap(({ tasks }) => [...tasks]),
    waiting: cluster.ledger.slots.pendingRequests,
    globalFailures: failed.filter(({ task }) => task === undefined).length,
    failures: failed.length,
  };
}

/** A job that is told to end does so; any other one finishes, with at most a failure for each disturbance. */
function rightEnd(world: World, strikes: readonly Strike[]) {
  const { status, tasks, regions, failures } = endOf(world);
  const struck = (strike: Strike): boolean => strikes.includes(strike) && !world.left.includes(strike);
  // E4, R7: nobody can explain such a report, unless it is about an attempt that is past.
  const may = {
    canceled: struck('the job is canceled'),
    failed: struck('a task is canceled unasked') || struck('a report is made again'),
  };
  const whole = (status === 'canceled' && may.canceled) || (status === 'failed' && may.failed) ? status : 'finished';
  const ended = ['canceled', 'failed', 'finished'];
  const disturbances = strikes.filter((strike) => struck(strike) && !/canceled$|earlier/.test(strike)).length;
  return {
    status: whole,
    tasks: whole === 'finished' ? ['finished'] : tasks.filter((state) => ended.includes(state)),
    regions: whole === 'finished' ? ['finished'] : regions.filter((state) => ended.includes(state ?? '')),
    running: [],
    waiting: 0,
    globalFailures: 0,
    failures: Math.min(failures, disturbances),
  };
}

const own = jobCharts({ delay: delayActor });

describe('a job of two regions, whatever order its messages arrive in', () => {
  it.each<Orders>([
    { strikes: [] },
    { strikes: ['a task fails'] },
    { strikes: ['the job is canceled'] },
    { strikes: ['a task is canceled unasked'] },
    { strikes: ['an executor is lost'] },
    { strikes: ['an executor is given up'] },
    { strikes: ['an executor starts anew'] },
    { strikes: ['an executor falls silent'] },
    { strikes: ['messages change places'] },
    { strikes: ['a message arrives twice'] },
    { strikes: ['a report is made again'] },
    { strikes: ['a task fails', 'a report of an earlier attempt is made again'] },
    { strikes: ['a task fails', 'an executor is lost'] },
    { strikes: ['an executor is lost', 'the job is canceled'] },
  ])('E1–E6, R1–R7, J2, J4, EC3: its charts end right, with $strikes', ({ strikes }) => {
    const { states, endings } = walk({ strikes });
    expect(states).toBeGreaterThan(50);
    expect(endings).toBeGreaterThan(0);
  });

  // Each fence stands in the way of something.
  it.each<Orders & { readonly fence: string }>([
    {
      fence: 'E1 (attempts)',
      strikes: ['a task fails', 'a report of an earlier attempt is made again'],
      charts: {
        ...own,
        execution: engineChart(
          executionMachine.provide({ actions: executionActions, guards: { isCurrentAttempt: () => true } }),
        ),
      },
    },
  ])('without the fence $fence some order ends wrong, and none does without what it fends off', (orders) => {
    walk({ ...orders, strikes: [] });
    expect(() => walk(orders)).toThrow(/unfounded|toEqual/);
  });
});
