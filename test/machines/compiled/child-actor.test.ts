import {
  Actor,
  type AnyActorRef,
  type AnyStateMachine,
  createActor,
  createMachine,
  emit,
  fromTransition,
} from 'xstate';
import { createChild } from '../../../src/machines/compiled/child-actor.ts';
import { compiled } from '../../../src/machines/compiled/compiled.ts';

const machine = createMachine({
  initial: 'a',
  states: { a: { on: { go: 'b' } }, b: { on: { go: 'a', say: { actions: emit({ type: 'said' }) } } } },
}) as unknown as AnyStateMachine;

const parent = createActor(fromTransition((_: undefined) => undefined, undefined)).start() as AnyActorRef;

const inCompiledForm = compiled(machine);

const child = (of = inCompiledForm): Actor<AnyStateMachine> =>
  createChild(of, { parent, id: 'child', input: undefined as never });

const byXState = (): Actor<AnyStateMachine> =>
  createActor(inCompiledForm, { parent, id: 'child', input: undefined } as never) as Actor<AnyStateMachine>;

describe('CF5: a child that is created as one of thousands', () => {
  it('is an actor of XState, with the same fields, of the same parent and system', () => {
    const [one, other] = [child(), byXState()];
    expect(one).toBeInstanceOf(Actor);
    expect(one.constructor).toBe(other.constructor);
    expect(Object.keys(one)).toEqual(Object.keys(other));
    expect(JSON.stringify(one)).toBe(JSON.stringify(other));
    for (const part of ['system', 'clock', 'logger', 'src', 'logic'] as const) expect(one[part]).toBe(other[part]);
    expect(one.system).toBe(parent.system);
    expect(one.ref).toBe(one);
    expect({ ...one.options }).toEqual({ ...other.options });
    expect(one.getPersistedSnapshot()).toEqual(other.getPersistedSnapshot());
  });

  it('tells those who observe it, or listen to it, of nobody else', () => {
    const [one, other] = [child().start(), child().start()];
    const heard: string[] = [];
    const observing = one.subscribe(({ value }) => heard.push(`one is ${String(value)}`));
    const listening = one.on('*', ({ type }: { type: string }) => heard.push(`one ${type}`));
    const { send } = other;
    other.select(({ value }) => value as unknown).subscribe((value) => heard.push(`other is ${String(value)}`));
    send({ type: 'go' });
    send({ type: 'say' });
    for (const type of ['go', 'say']) one.send({ type });
    observing.unsubscribe();
    listening.unsubscribe();
    for (const type of ['go', 'go', 'say']) one.send({ type });
    child().start().send({ type: 'go' });
    expect(heard).toEqual(['other is b', 'one is b', 'one said', 'one is b']);
  });

  it('is the actor that XState creates, if its machine is interpreted', () => {
    const interpreted = child(machine).start();
    interpreted.send({ type: 'go' });
    expect([interpreted.getSnapshot().value, interpreted.logic]).toEqual(['b', machine]);
  });
});
