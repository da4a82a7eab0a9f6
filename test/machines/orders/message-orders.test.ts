import { delayActor } from '../../../src/actors/delay-actor.ts';
import { engineChart } from '../../../src/machines/engine-chart.ts';
import { executionActions } from '../../../src/machines/execution/execution-actions.ts';
import { executionMachine } from '../../../src/machines/execution/execution-machine.ts';
import { jobCharts } from '../../../src/machines/job-charts.ts';
import { regionActions } from '../../../src/machines/region/region-actions.ts';
import { regionMachine } from '../../../src/machines/region/region-machine.ts';
import { type Orders, ordersOfTwoRegions, walkOrders } from './walk-orders.ts';

/** Some of the orders have more, which `npm run orders` goes through. */
const mostStates = 400;

const own = jobCharts({ delay: delayActor });

describe('a job of two regions, whatever order its messages arrive in', () => {
  it.each<Orders>(ordersOfTwoRegions)(
    'E1–E6, R1–R7, J2, J4, EC3, W5: its charts end, and end right, with $strikes',
    (orders) => {
      const { states, endings } = walkOrders(orders, mostStates);
      expect(states).toBeGreaterThan(50);
      expect(endings).toBeGreaterThan(0);
    },
  );

  // Each fence stands in the way of something.
  it.each<Orders & { readonly fence: string; readonly end: RegExp }>([
    {
      fence: 'E1 (attempts)',
      strikes: ['a task fails', 'a report of an earlier attempt is made again'],
      charts: {
        ...own,
        execution: engineChart(
          executionMachine.provide({ actions: executionActions, guards: { isCurrentAttempt: () => true } }),
        ),
      },
      end: /"failures":2} instead of .*"failures":1}/,
    },
    {
      fence: 'R7 (unexpected ends)',
      strikes: ['a task is canceled unasked'],
      charts: {
        ...own,
        region: engineChart(
          regionMachine.provide({
            actors: { delay: delayActor },
            actions: { ...regionActions, reportTaskCanceled: () => {} },
          }),
        ),
      },
      end: /nothing happens any more in a job that is running/,
    },
  ])('without the fence $fence some order ends wrong, and none does without what it fends off', (orders) => {
    walkOrders({ ...orders, strikes: [] });
    expect(() => walkOrders(orders)).toThrow(orders.end);
  });
});
