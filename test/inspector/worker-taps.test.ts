import { createMachine } from 'xstate';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { LocalLink } from '../../src/actors/local-link.ts';
import type { Port } from '../../src/actors/protocol/port.ts';
import { planJob } from '../../src/api/job-planner.ts';
import type { ExecutorObserver } from '../../src/executors/executors.ts';
import type { ExecutorId, RunId } from '../../src/ids.ts';
import { ActorSequence } from '../../src/inspector/tap/actor-sequence.ts';
import type { ActorLine } from '../../src/inspector/tap/actor-lines.ts';
import { ChartNames } from '../../src/inspector/tap/chart-names.ts';
import type { TapCommand, TapReport } from '../../src/inspector/tap/tap-messages.ts';
import { WorkerTap } from '../../src/inspector/tap/worker-tap.ts';
import { WorkerTaps } from '../../src/inspector/tap/worker-taps.ts';
import type { Redact } from '../../src/inspector/recording/plain-value.ts';
import { jobShape } from '../../src/run/folds/job-shape.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { sumsJob } from './recorded-run.ts';

const run = '00000000000000aa' as RunId;
const shape = jobShape(planJob(sumsJob()));

/** A chart of a worker. Each worker has a machine of its own, with the same definition. */
const resultMachine = () =>
  createMachine({
    id: 'result',
    initial: 'written',
    states: { written: { on: { read: 'read', again: 'written' } }, read: { on: { again: 'written' } } },
  });

/** Workers on this thread: their actors, and their connections to the taps of the main thread. */
function watched({ redact }: { readonly redact?: Redact } = {}) {
  const environment = virtualEnvironment();
  const { clock } = environment;
  const { link } = new LocalLink(clock);
  const lines: ActorLine[] = [];
  const invalid: string[] = [];
  const failed: string[] = [];
  const sent: [executor: string, message: TapCommand | TapReport][] = [];
  let observer: ExecutorObserver | undefined;
  const workers = new Map<string, ReturnType<typeof startedWorker>>();

  function startedWorker(executor: ExecutorId) {
    const root = ActorHost.root(run, { clock });
    const host = root.within(executor);
    const machine = resultMachine();
    const actors = [root.ref, host.ref];
    const create = (name: string) => {
      const actor = host.create(machine, name, undefined);
      actors.push(actor);
      actor.start();
      return actor;
    };
    const observe = (): Port<unknown, unknown> => {
      const [here, there] = link<TapCommand, TapReport>();
      const noted: typeof there = {
        post: (message) => {
          sent.push([executor, message]);
          there.post(message);
        },
        onMessage: (listener) =>
          there.onMessage((message) => {
            sent.push([executor, message]);
            listener(message);
          }),
        onClose: () => {},
        onSent: () => {},
        close: (why) => there.close(why),
      };
      new WorkerTap({ port: noted, executor: { actors: root, actorRefs: () => actors }, shape, clock });
      return here;
    };
    return { create, observe, host };
  }

  const start = (name: string) => {
    const worker = startedWorker(name as ExecutorId);
    workers.set(name, worker);
    observer?.joined(name as ExecutorId, worker.observe());
    return worker;
  };
  const taps = new WorkerTaps({
    inside: {
      run,
      environment,
      observeExecutors: (given) => {
        observer = given;
        for (const [name, worker] of workers) given.joined(name as ExecutorId, worker.observe());
        return () => {};
      },
      messageInvalid: (executor, { problem }) => invalid.push(`${executor}${problem}`),
      observerFailed: (_, cause) => failed.push(cause.message),
    },
    emit: (line) => lines.push(line),
    numbers: new ActorSequence(),
    charts: new ChartNames(),
    redact,
    rootNumber: () => 1_000,
  });
  const settle = () => environment.advance(1);
  const actors = () => lines.flatMap((line) => (line.type === 'actors' ? line.started : []));
  const numberOf = (id: string) => actors().find((actor) => actor.id === `${run}/${id}`)?.actor as number;
  const end = (executor: string) => observer?.ended(executor as ExecutorId);
  return { environment, link, taps, lines, invalid, failed, sent, start, end, settle, actors, numberOf };
}

/** What lines say of the states and the end of an actor. */
const toldOf = (lines: readonly ActorLine[], number: number): string[] =>
  lines.flatMap((line) => {
    if (line.type !== 'actors') return [];
    const states = line.states.filter(([actor]) => actor === number).map(([, paths]) => paths.join());
    return line.stopped.includes(number) ? [...states, 'stopped'] : states;
  });

describe('the taps of workers', () => {
  it('join the actors of workers with those of the main thread, by their ids, below one root', () => {
    const { taps, lines, start, settle, actors, numberOf } = watched();
    start('worker-0').create('partition/0#0');
    taps.open();
    settle();
    const late = start('worker-1').create('partition/1#0');
    settle();
    late.send({ type: 'read' });
    settle();
    expect(actors().map(({ id, chart, parent }) => [id, chart, parent])).toEqual([
      [`${run}/worker-0`, undefined, 1_000],
      [`${run}/worker-0/partition/0#0`, 'result', numberOf('worker-0')],
      [`${run}/worker-1`, undefined, 1_000],
      [`${run}/worker-1/partition/1#0`, 'result', numberOf('worker-1')],
    ]);
    expect(new Set(actors().map(({ actor }) => actor)).size).toBe(4);
    expect(toldOf(lines, numberOf('worker-1/partition/1#0'))).toEqual(['written', 'read']);
  });

  it('define a chart once, although each worker has a machine of its own', () => {
    const { taps, lines, start, settle } = watched();
    for (const name of ['worker-0', 'worker-1']) start(name).create('partition/0#0');
    taps.open();
    settle();
    const charts = lines.flatMap((line) => (line.type === 'chart' ? [line.chart] : []));
    expect(charts.filter((chart) => chart.startsWith('result'))).toEqual(['result']);
    expect(new Set(charts).size).toBe(charts.length);
  });

  it('WT3: before somebody watches, no worker is asked for anything', () => {
    const { sent, start, settle } = watched();
    start('worker-0').create('partition/0#0');
    settle();
    expect(sent).toEqual([]);
  });

  it('WT2: when nobody watches any more, nothing is reported; who comes again gets the present states', () => {
    const { taps, lines, sent, start, settle, numberOf } = watched();
    const { create } = start('worker-0');
    const actor = create('partition/0#0');
    taps.open();
    settle();
    taps.close();
    settle();
    const before = sent.length;
    actor.send({ type: 'read' });
    settle();
    expect(sent).toHaveLength(before);
    taps.open();
    settle();
    expect(toldOf(lines, numberOf('worker-0/partition/0#0'))).toEqual(['written', 'read']);
  });

  it('WT1: one report is on its way at a time, and the next one has all that has changed', () => {
    const { environment, taps, lines, sent, start, settle, numberOf } = watched();
    const actor = start('worker-0').create('partition/0#0');
    taps.open();
    settle();
    for (let turn = 0; turn < 50; turn++) {
      actor.send({ type: turn % 2 === 0 ? 'read' : 'again' });
      environment.clock.setImmediate(() => actor.send({ type: 'again' }));
      settle();
    }
    let open = 0;
    for (const [, { type }] of sent) {
      if (type === 'tap.lines') open++;
      if (type === 'tap.taken') open--;
      expect(open).toBeLessThanOrEqual(1);
    }
    expect(toldOf(lines, numberOf('worker-0/partition/0#0')).at(-1)).toBe('written');
  });

  it('WT4: the actors of a worker that has ended end, once, and those of others do not', () => {
    const { taps, lines, start, end, settle, actors } = watched();
    for (const name of ['worker-0', 'worker-1']) start(name).create('partition/0#0');
    taps.open();
    settle();
    end('worker-0');
    end('worker-0');
    const stopped = lines.flatMap((line) => (line.type === 'actors' ? line.stopped : []));
    const ids = stopped.map((number) => actors().find(({ actor }) => actor === number)?.id);
    expect(ids).toEqual([`${run}/worker-0`, `${run}/worker-0/partition/0#0`]);
  });

  it('trace a focused actor in its own worker alone, and redact what it says here', () => {
    const redact: Redact = (value, path) => (path.endsWith('.patient') ? '***' : value);
    const { taps, lines, sent, start, settle, numberOf } = watched({ redact });
    const actor = start('worker-0').create('partition/0#0');
    start('worker-1').create('partition/1#0');
    taps.open();
    taps.focus(`${run}/worker-0/partition/0#0`);
    settle();
    const focused = sent.filter(([, message]) => message.type === 'tap.focus' && message.actor !== null);
    expect(focused.map(([executor]) => executor)).toEqual(['worker-0']);
    actor.send({ type: 'read', patient: 'Ada', sizes: new Map([['a', 1]]) } as never);
    actor.send({ type: 'ignored' } as never);
    settle();
    const traces = lines.filter((line) => line.type === 'trace' && line.event !== 'xstate.init');
    expect(traces).toMatchObject([
      {
        actor: numberOf('worker-0/partition/0#0'),
        event: 'read',
        payload: { patient: '***', sizes: { $: 'map', entries: [['a', 1]] } },
        taken: [{ source: 'written', event: 'read' }],
      },
      { event: 'ignored', taken: [] },
    ]);
    taps.focus(null);
    settle();
    actor.send({ type: 'again' });
    settle();
    expect(lines.filter((line) => line.type === 'trace' && line.event === 'again')).toEqual([]);
  });

  it.each<[what: string, report: unknown, problem: string]>([
    ['no report', 'lines', ' is "lines", not an object'],
    ['a line of no kind', { type: 'tap.lines', lines: [{ type: 'run' }] }, '.lines[0] is "run", not chart or actors'],
    [
      'an actor without an id',
      { type: 'tap.lines', lines: [{ type: 'actors', started: [{ actor: 1 }], states: [], stopped: [] }] },
      '.lines[0].started[0].id is undefined, not a text',
    ],
  ])('W7: %s is an event, and ends the tap of that worker', (_, report, problem) => {
    const { taps, lines, invalid, link, settle } = watched();
    const [here, there] = link<unknown, unknown>();
    taps.open();
    taps.joined('worker-9' as ExecutorId, here);
    there.post(report);
    there.post(report);
    settle();
    expect(invalid).toEqual([expect.stringContaining(`worker-9${problem}`)]);
    expect(lines).toEqual([]);
  });

  it('a tap that has given up is reported as an observer that failed', () => {
    const { taps, failed, start, settle } = watched();
    const { create } = start('worker-0');
    const actor = create('partition/0#0');
    jest.spyOn(actor, 'getSnapshot').mockImplementation(() => {
      throw new Error('unreadable');
    });
    taps.open();
    for (let turn = 0; turn < 5; turn++) {
      create(`partition/0#${turn + 1}`);
      settle();
      taps.close();
      taps.open();
      settle();
    }
    expect(failed).toEqual(['unreadable']);
  });
});
