import type { AnyActorRef, StateValue } from 'xstate';

/** An actor that is announced. */
export interface Tapped {
  readonly actor: number;
  readonly ref: AnyActorRef;
  readonly chart: string | undefined;
  /** The state value that was announced last, */
  value: StateValue | undefined;
  /** and as one text. */
  shown: string;
  /** The actors that it invoked, which are looked at when it changes. */
  children: readonly AnyActorRef[];
  /** Whether it is among the changes of this turn, and among the ends. */
  isChanged: boolean;
  isEnding: boolean;
}

/** What a snapshot has if it is a machine's. */
export interface MachineSnapshot {
  readonly status: string;
  readonly value?: StateValue;
  readonly children?: Readonly<Record<string, AnyActorRef>>;
}

export function isActive(ref: AnyActorRef): boolean {
  return (ref.getSnapshot() as MachineSnapshot).status === 'active';
}
