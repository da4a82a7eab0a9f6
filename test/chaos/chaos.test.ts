import { type ChaosSummary, runChaos } from './run-chaos.ts';

describe('12 drawn jobs, whose processes are killed: the output of the undisturbed job, and no call paid twice without need', () => {
  const told: string[] = [];
  let summary: ChaosSummary;

  beforeAll(async () => {
    summary = await runChaos(1, 12, (line) => told.push(line));
  });

  it('seeds 1 to 12', () => {
    expect(told).toEqual([]);
    expect(summary.passed).toBe(12);
  });

  it('processes were killed, later ones took over finished tasks, and files were damaged', () => {
    expect(summary.kills).toBeGreaterThan(12);
    expect(summary.resumed).toBeGreaterThan(2);
    expect(summary.damaged).toBeGreaterThan(1);
    expect(summary.inFlight).toBeGreaterThan(12);
  });
});
