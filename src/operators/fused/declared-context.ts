import type { Clock } from '../../environment.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { StatefulProcessContext } from '../operator-description.ts';
import type { StateDeclarations } from '../state/declared-states.ts';
import { type CurrentContent, hasState, type KeyContent, openStates } from '../state/key-content.ts';
import { copyState } from '../state/tables/copy-state.ts';
import type { StateTable } from '../state/tables/state-table.ts';
import { KeyTimers } from './key-timers.ts';

/** What the states of a `process` work with. */
interface DeclaredContextOptions {
  readonly declarations: StateDeclarations;
  readonly table: StateTable;
  readonly clock: Pick<Clock, 'epochMs'>;
  /** The current key. @throws IllegalStateError if no function runs */
  readonly currentKey: () => unknown;
  /** @throws for a promise */
  readonly checked: CurrentContent['checked'];
  /** uid of the operator. */
  readonly operator: string;
  readonly refusing: CurrentContent['refusing'];
  /** Whether they are of the subtask: no key, and no timers. */
  readonly isOfSubtask: boolean;
}

type Context = StatefulProcessContext<unknown, StateDeclarations>;

/**
 * The declared states and the timers of a `process`, for its current key. All that a key has is one entry of the table,
 * so that it is copied, written and given up as one.
 */
export class DeclaredContext {
  readonly context: Context;
  readonly #options: DeclaredContextOptions;
  readonly #timers = new KeyTimers();
  readonly #hasTtl: boolean;
  #walk: IterableIterator<unknown> | undefined;

  constructor(options: DeclaredContextOptions) {
    this.#options = options;
    const { declarations, currentKey, checked, operator, refusing } = options;
    this.#hasTtl = Object.values(declarations).some(({ ttlMs }) => ttlMs !== undefined);
    const nowMs = (): number => options.clock.epochMs();
    const shrunk = (): void => this.#giveUpIfOver(currentKey());
    const own = (): KeyContent | undefined => this.#own(currentKey());
    const need = (): KeyContent => this.#need(currentKey());
    const ofAll = {
      states: openStates(declarations, { own, need, shrunk, nowMs, checked, operator, refusing, key: currentKey }),
      get nowMs() {
        return nowMs();
      },
    };
    if (options.isOfSubtask) {
      this.context = ofAll as Context;
      return;
    }
    this.context = {
      states: ofAll.states,
      get key() {
        return currentKey();
      },
      get nowMs() {
        return nowMs();
      },
      setTimer: (atMs) => this.#setTimer(currentKey(), atMs),
      clearTimer: (atMs) => this.#clearTimer(currentKey(), atMs),
    };
  }

  /** When the earliest timer is due, in wall-clock ms; undefined if there is none. It may have been taken back. */
  get nextMs(): number | undefined {
    return this.#timers.nextMs;
  }

  /** The next timer that is due, which is gone now. */
  takeDue(): { readonly key: unknown; readonly atMs: number } | undefined {
    const nowMs = this.#options.clock.epochMs();
    for (let due = this.#timers.takeDue(nowMs); due !== undefined; due = this.#timers.takeDue(nowMs)) {
      if (!this.#hasTimer(due.key, due.atMs)) continue;
      this.#removeTimer(due.key, due.atMs);
      return due;
    }
    return undefined;
  }

  /** Whether a key has a state whose time is not over. */
  hasState(key: unknown): boolean {
    const { table, clock, declarations } = this.#options;
    const content = table.peek(key)?.accumulator as KeyContent | undefined;
    return content !== undefined && hasState(content, declarations, clock.epochMs());
  }

  /** Puts back what a key has now, also what is changed in place. Its timers need not be set again: one that is taken back stays in their order. */
  undoOf(key: unknown): () => void {
    const { table } = this.#options;
    const content = copyState(table.peek(key)?.accumulator) as KeyContent | undefined;
    return () => {
      if (content === undefined) table.delete(key);
      else table.set(key, content);
    };
  }

  /** Looks at some keys, and gives up those whose time is over. Over time it comes to all of them. */
  sweep(count: number): void {
    this.#timers.dropGone(({ key, atMs }) => this.#hasTimer(key, atMs));
    if (!this.#hasTtl) return;
    const { table, clock, declarations } = this.#options;
    const nowMs = clock.epochMs();
    this.#walk ??= table.walk();
    for (let left = count; left > 0; left--) {
      const next = this.#walk.next();
      if (next.done === true) {
        this.#walk = undefined;
        return;
      }
      const content = table.peek(next.value)?.accumulator as KeyContent | undefined;
      if (content === undefined || content.timers.length > 0 || hasState(content, declarations, nowMs)) continue;
      table.delete(next.value);
    }
  }

  /** The table was restored: its timers are set again. O(keys) */
  restored(): void {
    const { table } = this.#options;
    for (const key of table.walk()) {
      const content = table.peek(key)?.accumulator as KeyContent | undefined;
      for (const atMs of content?.timers ?? []) this.#timers.add(atMs, key);
    }
  }

  #own(key: unknown): KeyContent | undefined {
    return this.#options.table.own(key)?.accumulator as KeyContent | undefined;
  }

  #need(key: unknown): KeyContent {
    const present = this.#own(key);
    if (present !== undefined) return present;
    const content: KeyContent = { states: {}, timers: [] };
    this.#options.table.set(key, content);
    return content;
  }

  #hasTimer(key: unknown, atMs: number): boolean {
    const content = this.#options.table.peek(key)?.accumulator as KeyContent | undefined;
    return content?.timers.includes(atMs) === true;
  }

  #setTimer(key: unknown, atMs: number): void {
    if (!Number.isFinite(atMs)) throw new InvalidArgumentError('setTimer', atMs, 'a time in ms since 1970');
    if (this.#hasTimer(key, atMs)) return;
    this.#need(key).timers.push(atMs);
    this.#timers.add(atMs, key);
  }

  #clearTimer(key: unknown, atMs: number): void {
    if (!this.#hasTimer(key, atMs)) return;
    this.#removeTimer(key, atMs);
    this.#timers.noteGone();
  }

  #removeTimer(key: unknown, atMs: number): void {
    const { timers } = this.#need(key);
    timers.splice(timers.indexOf(atMs), 1);
    this.#giveUpIfOver(key);
  }

  #giveUpIfOver(key: unknown): void {
    const content = this.#own(key);
    if (content === undefined || content.timers.length > 0) return;
    for (const _ in content.states) return;
    this.#options.table.delete(key);
  }
}
