import { type AnyStateMachine, createActor, emit } from 'xstate';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { systemEnvironment } from '../../src/environment.ts';
import type { FailoverDecision, TaskFailure } from '../../src/failover/failover-strategy.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import type { Topology } from '../../src/graph/topology.ts';
import { Advisor } from '../../src/machines/strategies/advisor.ts';
import {
  failoverStrategyMachine,
  failoverStrategySetup,
} from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { walks } from '../support/transition-table.ts';

const topology = {} as Topology;
const failure = {
  vertex: 0,
  attempt: 0,
  cause: new Error('broke'),
  atMs: 0,
  lostPartitions: [],
} as unknown as TaskFailure;
const decision: FailoverDecision = { kind: 'restart', regions: [] };

const requested = { type: 'failover.requested', failover: 7, failure, topology } as const;
const completed = { type: 'failover.completed', failover: 7, regions: [] } as const;
const backoff = { type: 'backoff.requested', failover: 7, nowMs: 0 } as const;

/** The events that a machine emits in response to these. */
function emitted(machine: AnyStateMachine, input: unknown, events: readonly { readonly type: string }[]): unknown[] {
  const actor = createActor(machine, { input });
  const seen: unknown[] = [];
  actor.on('*', (event) => seen.push(event));
  actor.start();
  for (const event of events) actor.send(event);
  return seen;
}

describe('failover strategy machine', () => {
  const machine = failoverStrategyMachine(() => decision) as AnyStateMachine;
  const input = { topology, environment: systemEnvironment() };

  it.each([
    ['failover.requested', requested, [{ type: 'failover.decided', failover: 7, decision }]],
    ['failover.completed', completed, []],
  ])('%s', (_, event, expected) => {
    expect(emitted(machine, input, [event])).toEqual(expected);
  });

  it('has one state, whatever it is told: each failure is decided separately', () => {
    const paths = walks(machine, [requested, completed], input, (snapshot) => JSON.stringify(snapshot.value));
    expect(paths).toHaveLength(1);
    expect(emitted(machine, input, [requested, completed, requested])).toHaveLength(2);
  });
});

describe('restart backoff machine', () => {
  const input = { environment: virtualEnvironment() };
  const machine = restartBackoffMachine(fixedDelay({ maxAttempts: 2, delayMs: 50 })) as AnyStateMachine;
  const answer = (canRestart: boolean) => expect.objectContaining({ type: 'backoff.decided', failover: 7, canRestart });

  it("answers each question once, with its rule's verdict on all failures so far", () => {
    expect(emitted(machine, input, [backoff, backoff, backoff])).toEqual([answer(true), answer(true), answer(false)]);
  });

  it('has one state', () => {
    const paths = walks(machine, [backoff], input, (snapshot) => JSON.stringify(snapshot.value));
    expect(paths).toHaveLength(1);
  });
});

describe('Advisor', () => {
  const advisorOf = (logic: AnyStateMachine) =>
    new Advisor({
      id: 'strategy',
      logic,
      input: { topology, environment: systemEnvironment() },
      answerType: 'failover.decided',
      readAnswer: (emitted) => emitted,
      actors: ActorHost.root('test', { clock: virtualEnvironment().clock, failed: () => {} }),
    });

  it('starts a new actor after one that threw, without its context', () => {
    let asked = 0;
    const advisor = advisorOf(
      failoverStrategyMachine(() => {
        if (asked++ === 0) throw new Error('not today');
        return decision;
      }) as AnyStateMachine,
    );
    const answers: unknown[] = [];
    const ask = (failover: number): void => {
      const actor = advisor.expect(
        failover as never,
        () => answers.push(`answer ${failover}`),
        (cause) => answers.push((cause as Error).message),
      );
      actor?.send({ ...requested, failover });
    };
    ask(1);
    ask(2);
    expect(answers).toEqual(['not today', 'answer 2']);
  });

  it('fails at once if an actor ends without an answer', () => {
    const strategy = failoverStrategySetup().createMachine({
      initial: 'deciding',
      states: { deciding: { on: { 'failover.requested': 'gone' } }, gone: { type: 'final' } },
    });
    const failures: unknown[] = [];
    const ask = (failover: number): void => {
      const advisor = advisorOf(strategy as AnyStateMachine);
      const actor = advisor.expect(failover as never, String, (cause) => failures.push((cause as Error).message));
      actor?.send({ ...requested, failover });
    };
    ask(1);
    expect(failures).toEqual(['it ended without an answer']);
  });

  it('takes the first answer to a question', () => {
    const strategy = failoverStrategySetup().createMachine({
      context: {},
      on: {
        'failover.requested': {
          actions: [7, 8].map((answer) =>
            emit(({ event: { failover } }) => ({
              type: 'failover.decided' as const,
              failover,
              decision: answer as unknown as FailoverDecision,
            })),
          ),
        },
      },
    });
    const answers: unknown[] = [];
    const advisor = advisorOf(strategy as unknown as AnyStateMachine);
    const actor = advisor.expect(
      7 as never,
      (answer) => answers.push((answer as { decision: unknown }).decision),
      String,
    );
    actor?.send(requested);
    expect(answers).toEqual([7]);
  });

  it('drops an unexpected answer, and every answer once it was stopped', () => {
    const advisor = advisorOf(failoverStrategyMachine(() => decision) as AnyStateMachine);
    const answers: unknown[] = [];
    const actor = advisor.expect(1 as never, () => answers.push(1), String);
    actor?.send({ ...requested, failover: 99 });
    expect(answers).toEqual([]);
    advisor.stop();
    expect(actor?.getSnapshot().status).toBe('stopped');
    expect(answers).toEqual([]);
  });
});
