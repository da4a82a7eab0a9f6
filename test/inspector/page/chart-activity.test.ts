import { entriesOf, isActive, takenCount } from '../../../src/inspector/page/statechart/chart-activity.ts';
import type { ChartTransition, TraceLine } from '../../../src/inspector/recording/recording-line.ts';
import { ActorTable } from '../../../src/inspector/recording/actors/actor-table.ts';
import { actorsLine } from '../recorded-lines.ts';

function transition(event: string, target: string, guard?: string): ChartTransition {
  return { event, guard, targets: [target], actions: [] };
}

/** Two actors of one chart: both begin, one of them ends. */
const actors = new ActorTable();
for (const actor of [0, 1]) {
  actors.next(actorsLine(0, { started: [{ actor, id: `a/${actor}`, chart: 'region', parent: undefined }] }));
  actors.next(actorsLine(0, { states: [[actor, ['created']]] }));
  actors.next(actorsLine(1, { states: [[actor, ['live.deploying']]] }));
  actors.next(actorsLine(1, { states: [[actor, ['live.running']]] }));
}
actors.next(actorsLine(2, { states: [[1, ['finished']]], stopped: [1] }));
const moves = actors.movesOf('region');

it('a state is active with each of its ancestors', () => {
  const leaves = ['live.running', 'watch.on'];
  expect(
    ['', 'live', 'live.running', 'watch', 'liv', 'live.run', 'watch.off'].map((path) => isActive(path, leaves)),
  ).toEqual([true, true, true, true, false, false, false]);
});

it('counts how often actors of a chart entered a state', () => {
  expect(['created', 'live', 'live.running', 'finished', 'failed'].map((path) => entriesOf(path, moves))).toEqual([
    2, 2, 2, 1, 0,
  ]);
});

it('counts a transition by the moves of all actors if only it leads from one state to the other', () => {
  const all = [transition('start', 'live.deploying'), transition('cancel', 'canceled')];
  expect(takenCount('created', all[0] as ChartTransition, all, moves, [])).toEqual({ count: 2, by: 'moves' });
  expect(takenCount('created', all[1] as ChartTransition, all, moves, [])).toEqual({ count: 0, by: 'moves' });
});

it('counts two transitions to the same state by what was traced alone', () => {
  const all = [transition('start', 'live.running', 'hasSlots'), transition('start', 'live.running')];
  const trace: TraceLine = {
    ...{ type: 'trace', atMs: 1, actor: 0, source: undefined, event: 'start', payload: {}, actions: [] },
    taken: [{ source: 'created', event: 'start', guard: 'hasSlots' }],
  };
  const counts = all.map((one) => takenCount('created', one, all, moves, [trace]));
  expect(counts).toEqual([{ count: 1, by: 'traced' }, undefined]);
});
