import { type AnyActorRef, createMachine, fromCallback, type InspectionEvent } from 'xstate';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { HandClock } from '../support/manual-cluster.ts';

const clock = new HandClock();

/** Throws on command. */
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
  it('names its actors by path, and adds them to its system', () => {
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

  it('handles an actor that throws, and continues; a nested host with its own handler handles its actors itself', () => {
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

  it('stops its actors, once', () => {
    const root = ActorHost.root('run', { clock });
    const log: string[] = [];
    const logic = fromCallback(() => () => log.push('stopped'));
    const actor = root.create(logic, 'task', undefined).start();
    root.stop(actor);
    root.stop(actor);
    expect([log, actor.getSnapshot().status]).toEqual([['stopped'], 'stopped']);
  });
});
