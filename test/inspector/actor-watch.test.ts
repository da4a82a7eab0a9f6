import type { AnyActorRef } from 'xstate';
import { collect, fixedDelay, fromArray, Job, type JobRun } from 'kintsugi';
import { type ActorObserver, watchActors } from '../../src/inspector/tap/actor-watch.ts';
import { insideOf } from '../../src/run/run-inside.ts';

type Said = readonly [what: keyof ActorObserver, actor: AnyActorRef, status?: string];

/** A job of which one task fails, and runs again. */
function failingRun(inspect?: (type: string) => void): JobRun {
  let failures = 1;
  const job = Job.create('words', { parallelism: 2 });
  job
    .source('words', fromArray(['gold', 'dust', 'lacquer', 'bowl']))
    .keyBy((word) => word.length)
    .reduce((a, b) => (failures-- > 0 ? a.repeat(-1) : a + b), { uid: 'joined' })
    .sink('out', collect());
  return job.run({
    restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }),
    ...(inspect !== undefined && { inspect: ({ type }) => inspect(type) }),
  });
}

function watched(run: JobRun): { readonly said: Said[]; readonly close: () => void } {
  const said: Said[] = [];
  const close = watchActors(insideOf(run), {
    started: (actor, { status }) => said.push(['started', actor, status]),
    received: (actor) => said.push(['received', actor]),
    changed: (actor, { status }) => said.push(['changed', actor, status]),
    stopped: (actor) => said.push(['stopped', actor]),
  });
  return { said, close };
}

/** Once the tasks of the second attempt run, and others have ended. */
async function halfWay(run: JobRun): Promise<void> {
  for await (const event of run.events()) if (event.type === 'failover.decided') return;
}

describe.each<[when: string, wait: (run: JobRun) => Promise<void>]>([
  ['from its beginning', async () => {}],
  ['from the middle of it', halfWay],
])('the actors of a run, watched %s', (_, wait) => {
  let said: Said[];

  beforeAll(async () => {
    const run = failingRun();
    await wait(run);
    ({ said } = watched(run));
    await run.result;
  });

  it('AW1 start before anything else of them, and after their parent', () => {
    const started = new Set<AnyActorRef>();
    for (const [what, actor, status] of said) {
      if (what !== 'started') expect(started.has(actor)).toBe(true);
      else {
        expect(started.has(actor)).toBe(false);
        expect(status).toBeDefined();
        if (actor._parent !== undefined) expect(started.has(actor._parent as AnyActorRef)).toBe(true);
        started.add(actor);
      }
    }
    const names = Array.from(started, ({ id }) => id.split('/').slice(1).join('/'));
    expect(names).toEqual(expect.arrayContaining(['master', 'master/region/2', 'local-0']));
  });

  it('AW2 stop last, and once', () => {
    const open = new Set<AnyActorRef>();
    for (const [what, actor] of said) {
      if (what === 'started') open.add(actor);
      else {
        expect(open.has(actor)).toBe(true);
        if (what === 'stopped') open.delete(actor);
      }
    }
    expect(open.size).toBe(0);
  });
});

it('AW2 an attempt that failed has stopped before the next one runs', async () => {
  const run = failingRun();
  const { said } = watched(run);
  await run.result;
  const at = (what: string, name: string): number =>
    said.findIndex(([one, { id }]) => one === what && id.endsWith(`/task/joined[${name}`));
  const [failed = ''] = ['0]#0', '1]#0'].filter((name) => at('started', name.replace('#0', '#1')) >= 0);
  expect(at('stopped', failed)).toBeGreaterThan(0);
  expect(at('stopped', failed)).toBeLessThan(at('started', failed.replace('#0', '#1')));
});

it('says every event and every state', async () => {
  const count = { '@xstate.event': 0, '@xstate.snapshot': 0 };
  const run = failingRun((type) => {
    if (type in count) count[type as keyof typeof count]++;
  });
  const before = { ...count };
  const { said } = watched(run);
  await run.result;
  const ofKind = (what: string): number => said.filter(([one]) => one === what).length;
  expect(ofKind('received')).toBeGreaterThan(50);
  expect(ofKind('received')).toBeLessThanOrEqual(count['@xstate.event'] - before['@xstate.event']);
});

it('says nothing after it was closed', async () => {
  const run = failingRun();
  const { said, close } = watched(run);
  await halfWay(run);
  close();
  const before = said.length;
  await run.result;
  expect(said.length).toBe(before);
});
