import { Actor, type AnyActorRef, type AnyMachineSnapshot } from 'xstate';
import { recordRun } from '../../src/inspector/recorder/live-recording.ts';
import type { RecordedActor, RecordingLine, TraceLine } from '../../src/inspector/recording/recording-line.ts';
import type { ActorLine } from '../../src/inspector/tap/actor-lines.ts';
import { ActorTap } from '../../src/inspector/tap/actor-tap.ts';
import { SharedPaths } from '../../src/inspector/tap/state-paths.ts';
import type { JobEvent, JobRun } from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { enters, heard, pictureOf, recordedRun, startedRun } from './recorded-run.ts';

const startedIn = (lines: readonly RecordingLine[]): RecordedActor[] =>
  lines.flatMap((line) => (line.type === 'actors' ? line.started : []));

const isMachine = (actor: AnyActorRef): boolean => 'value' in actor.getSnapshot();

/** The states of the actors of a run, as their snapshots say. */
function presentStates(actors: Iterable<AnyActorRef>): Map<string, readonly string[]> {
  const machines = [...actors].filter(isMachine);
  const paths = new SharedPaths();
  return new Map(machines.map((actor) => [actor.id, paths.of((actor.getSnapshot() as AnyMachineSnapshot).value)]));
}

/** The actors of a run of which lines say something else than is. Of a region, the steps inside a state are not said. */
function wrongIn(lines: readonly RecordingLine[], run: JobRun): string[] {
  const isStep = ({ _parent }: AnyActorRef): boolean => /\/region\/\d+$/.test(_parent?.id ?? '');
  const actors = [...insideOf(run).actors()].filter((actor) => isMachine(actor) && !isStep(actor));
  const said = new Map([...pictureOf(lines).actors.all].map((actor) => [actor.id, actor]));
  const present = presentStates(actors);
  const isSaid = ({ id }: AnyActorRef): boolean => {
    const { states, stoppedMs } = said.get(id) ?? { states: [], stoppedMs: 0 };
    if (stoppedMs !== undefined) return false;
    const [first = ''] = present.get(id) ?? [];
    if (id.includes('/region/')) return states.length === 1 && first.startsWith(states.join());
    return states.join() === (present.get(id) ?? []).join();
  };
  return actors.filter((actor) => !isSaid(actor)).map(({ id }) => id);
}

/** A tap on a run, and what it says. */
function tapped(emit: (line: ActorLine) => void = () => {}) {
  const started = startedRun();
  const lines: ActorLine[] = [];
  const failed: JobEvent[] = [];
  started.run.events$.subscribe((event) => event.type === 'observer.failed' && failed.push(event));
  const tap = new ActorTap({
    inside: insideOf(started.run),
    emit: (line) => {
      lines.push(line);
      emit(line);
    },
    encode: (value) => value,
  });
  return { ...started, tap, lines, failed };
}

describe('the tap', () => {
  it.each<[string, (event: JobEvent) => boolean]>([
    ['before the run begins', () => true],
    ['while tasks run', enters('numbers[1]', 'running')],
    ['while a region restarts', (event) => event.type === 'failover.decided'],
    ['at the end', enters('sums[1]', 'running')],
  ])('opened %s, announces each actor once, and its states as they are', async (_, begins) => {
    const { environment, run, until } = startedRun();
    const recording = recordRun(run);
    await until(begins);
    const { lines } = heard(recording);
    await until(({ type }) => type === 'region.stateChanged');
    // What has changed in a turn is said at its end.
    await environment.runUntil(() => wrongIn(lines, run).length === 0);
    expect(wrongIn(lines, run)).toEqual([]);
    await environment.drive(run.result);
    const numbers = startedIn(lines).map(({ actor }) => actor);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('does not announce regions and executions: they follow from the events of the job', async () => {
    const { lines, run } = await recordedRun();
    expect(startedIn(lines).filter(({ id }) => /\/(region|execution)\//.test(id))).toEqual([]);
    const { actors } = pictureOf(lines);
    const ids = [...actors.all].map(({ id }) => id.slice(insideOf(run).run.length));
    expect(ids).toEqual(
      expect.arrayContaining([
        ...['/master/region/0', '/master/region/3', '/master/execution/numbers[1]#0', '/master/execution/sums[0]#1'],
        ...['/master', '/master/failover', '/master/executor/local-0', '/local-0/partition/0#0'],
      ]),
    );
    for (const actor of actors.all) expect(actors.get(actor.actor)?.id).toBe(actor.id);
    const began = actors.movesOf('execution').filter(({ from }) => from.length === 0);
    expect(began).toEqual([
      { from: [], to: ['waiting.created'], count: ids.filter((id) => id.includes('/execution/')).length },
    ]);
  });

  it('names the parent before the child, and the chart before its actors', async () => {
    const { lines } = await recordedRun();
    const [actors, charts] = [new Set<number | undefined>([undefined]), new Set<string | undefined>([undefined])];
    const { actors: early, charts: earlyCharts } = pictureOf(lines.slice(0, 2));
    for (const { actor } of early.all) actors.add(actor);
    for (const chart of earlyCharts.keys()) charts.add(chart);
    for (const line of lines) {
      if (line.type === 'chart') charts.add(line.chart);
      if (line.type !== 'actors') continue;
      for (const { actor, parent, chart } of line.started) {
        expect([actors.has(parent), charts.has(chart)]).toEqual([true, true]);
        actors.add(actor);
      }
    }
    expect([...charts]).toEqual(
      expect.arrayContaining(['jobMaster', 'region', 'execution', 'taskExecutor', 'partition', 'failover']),
    );
  });

  it('defines a chart once, with its states, guards and actions by name', async () => {
    const { lines } = await recordedRun();
    const { charts } = pictureOf(lines);
    expect(lines.filter((line) => line.type === 'chart' && line.chart === 'execution').length).toBeLessThanOrEqual(1);
    const execution = charts.get('execution')?.definition;
    expect(execution?.states.map(({ key }) => key)).toContain('deployed');
    const text = JSON.stringify(execution);
    expect(text).toContain(
      '{"event":"execution.deploy","guard":"hasSlot","targets":["deployed"],"actions":["deployTask"]}',
    );
    // How observers hear of states is no part of the chart.
    expect(text).not.toContain('recordState');
  });

  it('AT1: subscribes to no actor', async () => {
    const subscribed = jest.spyOn(Actor.prototype, 'subscribe');
    const { environment, run } = startedRun();
    await environment.drive(run.result);
    const without = subscribed.mock.calls.length;
    await recordedRun();
    expect(subscribed.mock.calls.length - without).toBe(without);
    subscribed.mockRestore();
  });

  it('AT3: announces the end of an attempt once, after its last state', async () => {
    const { lines } = await recordedRun();
    const failed = startedIn(lines).find(({ id }) => id.endsWith('/master/failover'))?.actor;
    const about = lines.flatMap((line) => {
      if (line.type !== 'actors') return [];
      const states = line.states.filter(([actor]) => actor === failed).map(([, paths]) => paths.join());
      return [...states, ...line.stopped.filter((actor) => actor === failed).map(() => 'stopped')];
    });
    expect(about.slice(-2)).toEqual(['completed', 'stopped']);
    expect(about.filter((state) => state === 'stopped')).toHaveLength(1);
  });

  it('AT3: at the end of the run no actor is left', async () => {
    const { lines } = await recordedRun();
    const left = [...pictureOf(lines).actors.all].filter(({ stoppedMs }) => stoppedMs === undefined);
    expect(left).toEqual([]);
  });

  it('AT2: one that throws gives up, is reported once, and the run goes on', async () => {
    const { environment, run, tap, lines, failed } = tapped(() => {
      throw new Error('broken tap');
    });
    tap.open();
    await environment.drive(run.result);
    expect(failed).toMatchObject([{ observer: 'inspector', cause: { message: 'broken tap' } }]);
    expect(lines).toHaveLength(3);
    tap.open();
    expect(lines).toHaveLength(3);
  });

  it('AT2: an actor whose snapshot cannot be read does not break the run', async () => {
    const { environment, run, tap } = tapped();
    tap.open();
    const [root] = insideOf(run).actors();
    jest.spyOn(root as AnyActorRef, 'getSnapshot').mockImplementation(() => {
      throw new Error('unreadable');
    });
    await expect(environment.drive(run.result)).resolves.toBeDefined();
  });

  it('is told nothing while it is closed, and catches up when it is opened again', async () => {
    const { environment, run, until, tap, lines } = tapped();
    tap.open();
    await until(enters('numbers[1]', 'running'));
    tap.close();
    const before = lines.length;
    await until(enters('sums[0]', 'running'));
    expect(lines).toHaveLength(before);
    tap.open();
    const states = lines.slice(before).flatMap((line) => (line.type === 'actors' ? line.states : []));
    const started = startedIn(lines as RecordingLine[]);
    const numberOf = (id: string) => started.find((actor) => actor.id.endsWith(id))?.actor as number;
    expect(states).toContainEqual([numberOf('/local-0/partition/1#0'), ['held.owned.finished']]);
    await environment.drive(run.result);
  });
});

it('XState inspects nothing unless an actor is focused: that would cost every event of every actor', async () => {
  const started = startedRun();
  const inspected = jest.spyOn(insideOf(started.run), 'inspect');
  const recording = recordRun(started.run);
  heard(recording);
  await started.until(enters('numbers[0]', 'running'));
  expect(inspected).not.toHaveBeenCalled();
  recording.focus(`${insideOf(started.run).run}/master`);
  expect(inspected).toHaveBeenCalledTimes(1);
  await started.environment.drive(started.run.result);
});

describe('the trace of an actor', () => {
  it('has what it received, the transitions it took, what it did, and its context if that changed', async () => {
    const { environment, run } = startedRun();
    const recording = recordRun(run);
    const { lines } = heard(recording);
    recording.focus(`${insideOf(run).run}/master/execution/numbers[1]#0`);
    await environment.drive(run.result);
    const traces = lines.filter((line): line is TraceLine => line.type === 'trace');
    expect(traces.map(({ event }) => event)).toEqual([
      'xstate.init',
      'execution.schedule',
      'execution.deploy',
      'task.initializing',
      'task.running',
      'task.failed',
      'execution.cancel',
    ]);
    expect(traces.find(({ event }) => event === 'task.failed')).toMatchObject({
      payload: { vertex: 1, attempt: 0, cause: { $: 'error' } },
      taken: [{ source: 'deployed', event: 'task.failed', guard: 'isCurrentAttempt' }],
    });
    expect(traces.filter(({ context }) => context !== undefined).length).toBeGreaterThan(0);
    const { actors } = pictureOf(lines);
    expect(actors.get(traces[1]?.source as number)?.id).toMatch(/master\/region\/1$/);
  });

  it('of a region begins with the focus, and has the steps inside its states until the focus ends', async () => {
    const { environment, run, until } = startedRun();
    const recording = recordRun(run);
    const { lines } = heard(recording);
    await until(enters('numbers[0]', 'running'));
    const shown = (): readonly string[] => {
      const { actors } = pictureOf(lines);
      return [...actors.all].find(({ id }) => id.endsWith('/master/region/1'))?.states ?? [];
    };
    recording.focus(`${insideOf(run).run}/master/region/1`);
    await environment.runUntil(() => shown().length > 1);
    expect(shown()).toEqual(['halting.purpose.restarting.backingOff', 'halting.attempts.ended']);
    recording.focus(null);
    await environment.runUntil(() => shown().length === 1);
    expect(shown()).toEqual(['halting.purpose.restarting']);
    await environment.drive(run.result);
    expect(lines.some((line) => line.type === 'trace' && line.event === 'execution.failed')).toBe(true);
  });

  it('marks ignored events: no transition was taken', async () => {
    const { environment, run } = startedRun();
    const recording = recordRun(run);
    const { lines } = heard(recording);
    const id = `${insideOf(run).run}/master`;
    recording.focus(id);
    await environment.drive(run.result);
    const master = [...insideOf(run).actors()].find((actor) => actor.id === id);
    expect(master).toBeDefined();
    const traces = lines.filter((line): line is TraceLine => line.type === 'trace');
    expect(traces.some(({ taken }) => taken.length > 0)).toBe(true);
  });

  it('ends when the focus does', async () => {
    const { environment, run, until } = startedRun();
    const recording = recordRun(run);
    const { lines } = heard(recording);
    recording.focus(`${insideOf(run).run}/master`);
    await until(enters('numbers[0]', 'running'));
    recording.focus(null);
    const before = lines.filter(({ type }) => type === 'trace').length;
    await environment.drive(run.result);
    expect(before).toBeGreaterThan(0);
    expect(lines.filter(({ type }) => type === 'trace')).toHaveLength(before);
  });
});
