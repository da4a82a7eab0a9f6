import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
  fromTransition,
  type InspectionEvent,
  SimulatedClock,
} from 'xstate';
import { createChild } from '../../../src/machines/compiled/child-actor.ts';
import { compiled } from '../../../src/machines/compiled/compiled.ts';

/** What happens to an actor: an event, time that passes, promises that settle, its end, or its persistence. */
export type Step =
  | EventObject
  | { readonly pass: number }
  | { readonly turn: true }
  | { readonly stop: true }
  | { readonly restore: true };

export interface StoryOptions {
  readonly steps: readonly Step[];
  /** The input, or what makes it. */
  readonly input?: unknown;
  /** Events that `can` is asked for. Default: those in `steps`. */
  readonly asked?: readonly EventObject[];
  /** State values that `matches` is asked for. */
  readonly matched?: readonly unknown[];
  readonly isInspected?: boolean;
}

/** Notes what an implementation does. */
export type Note = (...what: unknown[]) => void;

/** Makes an actor that is the child of another one. */
export type CreateChild = (
  machine: AnyStateMachine,
  options: { readonly parent: AnyActorRef; readonly id: string; readonly input: never },
) => AnyActorRef;

/** Everything that can be seen of an actor of a machine, line by line. It is the root of its system, if it is no child. */
export async function actorStory(
  make: (note: Note) => AnyStateMachine,
  options: StoryOptions,
  createChild?: CreateChild,
): Promise<string[]> {
  const teller = new Teller(options, createChild);
  const warn = console.warn; // oxlint-disable-line no-console
  console.warn = (...parts: unknown[]) => teller.note('warning', ...parts); // oxlint-disable-line no-console
  try {
    teller.begin(make(teller.note));
    for (const step of options.steps) await teller.take(step);
    return teller.lines;
  } finally {
    console.warn = warn; // oxlint-disable-line no-console
  }
}

/** The stories of a machine and of its compiled form. */
export async function bothStories(
  make: (note: Note) => AnyStateMachine,
  options: StoryOptions,
): Promise<[interpreted: string[], compiledForm: string[]]> {
  return [await actorStory(make, options), await actorStory((note) => compiled(make(note)), options)];
}

/** The story of an actor that XState creates, and of one of the compiled form that `createChild` does. */
export async function childStories(
  make: (note: Note) => AnyStateMachine,
  options: StoryOptions,
): Promise<[interpreted: string[], compiledForm: string[]]> {
  return [
    await actorStory(make, options, (machine, given) => createActor(machine, given as never) as AnyActorRef),
    await actorStory((note) => compiled(make(note)), options, createChild as CreateChild),
  ];
}

function partsOf(actor: AnyActorRef): { readonly options: object } {
  return actor as unknown as { readonly options: object };
}

class Teller {
  readonly lines: string[] = [];
  readonly #options: StoryOptions;
  readonly #createChild: CreateChild | undefined;
  readonly #clock = new SimulatedClock();
  readonly #wording = new Wording();
  #machine: AnyStateMachine | undefined;
  #actor: AnyActorRef | undefined;

  constructor(options: StoryOptions, createChild: CreateChild | undefined) {
    this.#options = options;
    this.#createChild = createChild;
  }

  readonly note: Note = (...what) => {
    this.lines.push(
      what.map((one) => (typeof one === 'string' ? this.#wording.named(one) : this.#wording.text(one))).join(' '),
    );
  };

  begin(machine: AnyStateMachine, snapshot?: unknown): void {
    const { input: given, isInspected = true } = this.#options;
    const input: unknown = typeof given === 'function' ? (given as (note: Note) => unknown)(this.note) : given;
    this.#machine = machine;
    const system = {
      clock: this.#clock,
      logger: (...parts: unknown[]) => this.note('logged', ...parts),
      ...(isInspected && { inspect: (event: InspectionEvent) => this.#inspected(event) }),
    };
    const actor =
      this.#createChild === undefined || snapshot !== undefined
        ? (createActor(machine, { ...system, id: 'root', input, snapshot } as never) as AnyActorRef)
        : this.#createChild(machine, { parent: this.#parent(system), id: 'root', input: input as never });
    this.#actor = actor;
    if (this.#createChild !== undefined)
      this.note('has', Object.keys(actor).join(), Object.keys(partsOf(actor).options).join());
    actor.subscribe({
      next: (next: unknown) => this.note('next', next),
      error: (error: unknown) => this.note('failed', error),
      complete: () => this.note('complete'),
    });
    (actor as { on(type: string, handler: (event: unknown) => void): void }).on('*', (event) =>
      this.note('emitted', event),
    );
    actor.start();
    this.#tell();
  }

  async take(step: Step): Promise<void> {
    this.note('#', step);
    if ('pass' in step) this.#clock.increment(step.pass as number);
    else if ('turn' in step) for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    else if ('stop' in step) (this.#actor as unknown as { _stop(): void })._stop();
    else if ('restore' in step) this.#restore();
    else this.#actor?.send(step as EventObject);
    this.#tell();
  }

  #parent(system: object): AnyActorRef {
    const hears = fromTransition((_: undefined, event: EventObject) => {
      this.note('parent hears', event);
      return undefined;
    }, undefined);
    return createActor(hears, { ...system, id: 'parent' }).start();
  }

  #restore(): void {
    const persisted: unknown = (
      this.#actor as unknown as { getPersistedSnapshot(how: object): unknown }
    ).getPersistedSnapshot({
      __unsafeAllowInlineActors: true,
    });
    this.note('persisted', JSON.stringify(persisted));
    (this.#actor as unknown as { _stop(): void })._stop();
    this.begin(this.#machine as AnyStateMachine, JSON.parse(JSON.stringify(persisted)));
  }

  #tell(): void {
    const snapshot = this.#actor?.getSnapshot() as AnyMachineSnapshot;
    this.note('is', snapshot, Object.keys(snapshot).join());
    if (typeof snapshot.can !== 'function') return;
    const { steps, asked = steps.filter((step): step is EventObject => 'type' in step), matched = [] } = this.#options;
    this.note('can', ...asked.map((event) => this.#attempt(() => snapshot.can(event as never))));
    this.note('matches', ...matched.map((value) => snapshot.matches(value as never)));
    this.note(
      'json',
      this.#attempt(() => JSON.stringify(snapshot)),
      this.#wording.text(snapshot.getMeta()),
    );
  }

  #attempt(question: () => unknown): string {
    try {
      return this.#wording.text(question());
    } catch (error) {
      return this.#wording.text(error);
    }
  }

  #inspected(event: InspectionEvent): void {
    const { type, actorRef, rootId: _, ...what } = event as InspectionEvent & { readonly sourceRef?: unknown };
    this.note(type, actorRef, what);
  }
}

/** Puts values into words. Two actors have the same ones if they behave the same. */
export class Wording {
  readonly #names = new Map<string, string>();

  /** A value as one line. Actors are named in the order in which they appear, snapshots by their properties. */
  text(value: unknown, depth = 0): string {
    if (typeof value === 'function') return `function ${value.name}`;
    if (typeof value === 'string') return JSON.stringify(this.named(value));
    if (typeof value !== 'object' || value === null) return String(value);
    if (value instanceof Error) return this.named(`${value.name}: ${value.message}`);
    if (depth > 6) return '…';
    if ('sessionId' in value && 'send' in value) return `actor ${this.#nameOf(String(value.sessionId))}`;
    if (value instanceof Set) return `set ${this.text([...value], depth + 1)}`;
    if (Array.isArray(value)) return `[${value.map((one) => this.text(one, depth + 1)).join(', ')}]`;
    if ('order' in value && 'path' in value) return `state ${String((value as { id?: unknown }).id)}`;
    if ('source' in value && 'eventType' in value) return this.#transition(value as never);
    let shown = '';
    for (const [key, one] of Object.entries(value)) {
      if (key === 'machine') continue;
      shown += `${shown === '' ? '' : ', '}${key}: ${this.text(one, depth + 1)}`;
    }
    return `{${shown}}`;
  }

  #transition({ source, target, eventType }: Record<string, unknown>): string {
    return `${this.text(source)} –${String(eventType)}→ ${this.text(target)}`;
  }

  /** A text without session ids, which no two actors of a process share. */
  named(text: string): string {
    if (!text.includes('x:')) return text;
    return text.replaceAll(/\bx:\d+/g, (id) => this.#nameOf(id));
  }

  #nameOf(sessionId: string): string {
    let name = this.#names.get(sessionId);
    if (name === undefined) this.#names.set(sessionId, (name = `#${this.#names.size}`));
    return name;
  }
}
