import { type AnyActorRef, createMachine, fromCallback, type InspectionEvent } from 'xstate';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { HandClock } from '../support/manual-cluster.ts';

const clock = new HandClock();

/** Throws when it is told to. */
const fragile = createMachine({
  on: {
    break: {
      actions: () => {
        throw new Error('broke');
      },
    },
  },
});

describe('a host of actors', () => {
  it('calls its actors by the path to them, and puts them into its system', () => {
    const events: InspectionEvent[] = [];
    const root = ActorHost.root('run', { clock, inspect: (event) => events.push(event) });
    const part = root.within('local-0');
    const actor = part.create(fragile, 'task/map[2]#3', undefined).start();
    expect([part.id, actor.id]).toEqual(['run/local-0', 'run/local-0/task/map[2]#3']);
    expect(
      events.filter(({ type }) => type === '@xstate.actor').map(({ actorRef }) => (actorRef as AnyActorRef).id),
    ).toEqual(['run', 'run/local-0', 'run/local-0/task/map[2]#3']);
    expect(new Set(events.map(({ rootId }) => rootId)).size).toBe(1);
  });

  it('hears of an actor that throws, and goes on; one that has an ear of its own is not heard', () => {
    const heard: string[] = [];
    const note =
      (who: string) =>
      (cause: unknown): void =>
        void heard.push(`${who}: ${(cause as Error).message}`);
    const root = ActorHost.root('run', { clock, failed: note('run') });
    for (const host of [root, root.within('executor'), root.within('advisors', note('advisors'))]) {
      host.create(fragile, 'fragile', undefined).start().send({ type: 'break' });
    }
    expect(heard).toEqual(['run: broke', 'run: broke', 'advisors: broke']);
    expect(root.create(fragile, 'another', undefined).start().getSnapshot().status).toBe('active');
  });

  it('stops what it has made, once', () => {
    const root = ActorHost.root('run', { clock });
    const log: string[] = [];
    const logic = fromCallback(() => () => log.push('stopped'));
    const actor = root.create(logic, 'task', undefined).start();
    root.stop(actor);
    root.stop(actor);
    expect([log, actor.getSnapshot().status]).toEqual([['stopped'], 'stopped']);
  });
});
