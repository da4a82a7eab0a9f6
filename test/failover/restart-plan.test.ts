import { modeByPlan, planAfter, type RestartCommand, type RestartPlan } from '../../src/failover/restart-plan.ts';

// The complete table: plan × command, or the begin of the attempt → plan, and its mode.
const table = `
               new        again        wait         begin  mode
  new          to-be-new  to-be-again  to-wait      new    new
  again        to-be-new  to-be-again  to-be-again  again  again
  to-be-new    to-be-new  to-be-new    to-be-new    new    new
  to-be-again  to-be-new  to-be-again  to-be-again  again  again
  to-wait      to-be-new  to-wait      to-wait      again  again
`;

describe('the plan of a region', () => {
  const [steps, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/)) as [string[], ...string[][]];
  const cases = rows.flatMap(([plan, ...cells]) =>
    cells.slice(0, -1).map((expected, at) => ({ plan, step: steps[at], expected })),
  );

  it.each(cases)('$plan on $step: $expected', ({ plan, step, expected }) => {
    expect(planAfter[plan as RestartPlan][step as RestartCommand | 'begin']).toBe(expected);
  });

  it.each(rows.map(([plan, ...cells]) => ({ plan, mode: cells.at(-1) })))('$plan means $mode', ({ plan, mode }) => {
    expect(modeByPlan[plan as RestartPlan]).toBe(mode);
  });

  it('stays once begun, whatever else begins', () => {
    for (const [plan] of rows) {
      const begun = planAfter[plan as RestartPlan].begin;
      expect([planAfter[begun].begin, modeByPlan[begun]]).toEqual([begun, modeByPlan[plan as RestartPlan]]);
    }
  });
});
