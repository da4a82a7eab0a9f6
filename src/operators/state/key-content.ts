import { hasPresentEntry, type StateDeclaration, type StateDeclarations, type StateSlot } from './declared-states.ts';
import { migrated } from './state-version.ts';

/** The content of one state of a key. Plain data. */
export interface Content {
  readonly value: unknown;
  /** When its time is over, in wall-clock ms; absent for never. */
  readonly untilMs?: number;
  /** The version that was declared for it when it was written; absent for 1. */
  readonly version?: number;
}

/** What a `process` that declares its states keeps of a key. Plain data. */
export interface KeyContent {
  /** By name. */
  readonly states: Record<string, Content>;
  /** Its timers, in wall-clock ms. */
  readonly timers: number[];
}

/** Whether a key has a state whose time is not over. That of a map is over with that of its entries. */
export function hasState({ states }: KeyContent, declarations: StateDeclarations, nowMs: number): boolean {
  for (const name in states) {
    const content = states[name] as Content;
    if (isPast(content, nowMs)) continue;
    const { kind, version = 1 } = declarations[name] ?? {};
    if (kind !== 'map' || (content.version ?? 1) !== version || hasPresentEntry(content.value, nowMs)) return true;
  }
  return false;
}

/** Without some of its states; undefined if nothing is left. */
export function withoutStates({ states, timers }: KeyContent, names: ReadonlySet<string>): KeyContent | undefined {
  const left = Object.entries(states).filter(([name]) => !names.has(name));
  return left.length === 0 && timers.length === 0 ? undefined : { states: Object.fromEntries(left), timers };
}

function isPast({ untilMs }: Content, nowMs: number): boolean {
  return untilMs !== undefined && untilMs <= nowMs;
}

/** The content of the current key, for its states. */
export interface CurrentContent {
  /** As one that may be changed; undefined if it has none. */
  own(): KeyContent | undefined;
  /** The same; it is created if there is none. */
  need(): KeyContent;
  /** Nothing may be left of it. */
  shrunk(): void;
  nowMs(): number;
  checked: StateSlot['checked'];
  /** uid of the operator. */
  readonly operator: string;
  key(): unknown;
  /** Calls a function whose errors are never those of a record. */
  refusing<Value>(call: () => Value): Value;
}

/** The states that a `process` declares, for its current key. */
export function openStates(
  declarations: StateDeclarations,
  current: CurrentContent,
): Readonly<Record<string, unknown>> {
  const opened = Object.entries(declarations).map(
    ([name, declaration]) => [name, declaration.open(slotOf(name, declaration, current))] as const,
  );
  return Object.fromEntries(opened);
}

function slotOf(name: string, declaration: StateDeclaration, current: CurrentContent): StateSlot {
  const { ttlMs, version: declared = 1 } = declaration;
  const ofVersion = declared === 1 ? undefined : declared;
  return {
    ...{ name, ttlMs },
    checked: current.checked,
    get nowMs() {
      return current.nowMs();
    },
    read: () => {
      const states = current.own()?.states;
      const content = states?.[name];
      if (states === undefined || content === undefined || isPast(content, current.nowMs())) return undefined;
      const { version = 1 } = content;
      if (version === declared) return content.value;
      const value = current.refusing(() => migrateContent(name, content, declaration, current));
      states[name] = contentOf(value, content.untilMs, declared);
      return value;
    },
    write: (value) => {
      const untilMs = ttlMs === undefined ? undefined : current.nowMs() + ttlMs;
      current.need().states[name] = contentOf(value, untilMs, ofVersion);
    },
    clear: () => {
      const states = current.own()?.states;
      if (states?.[name] === undefined) return;
      delete states[name];
      current.shrunk();
    },
  };
}

/** The content of a state in the version that is declared for it. @throws StateVersionError | StateMigrationError */
export function contentNow(
  state: string,
  content: Content,
  declaration: StateDeclaration,
  where: Pick<CurrentContent, 'operator' | 'key' | 'nowMs'>,
): Content {
  const { version: declared = 1 } = declaration;
  if ((content.version ?? 1) === declared) return content;
  return contentOf(migrateContent(state, content, declaration, where), content.untilMs, declared);
}

function migrateContent(
  state: string,
  content: Content,
  declaration: StateDeclaration,
  current: Pick<CurrentContent, 'operator' | 'key' | 'nowMs'>,
): unknown {
  const { value, version = 1 } = content;
  const where = { state, operator: current.operator, key: current.key(), nowMs: current.nowMs() };
  return migrated({ kind: declaration.kind, value, version, ...where }, declaration);
}

/** @param version absent for 1 */
function contentOf(value: unknown, untilMs: number | undefined, version: number | undefined): Content {
  if (version === undefined) return untilMs === undefined ? { value } : { value, untilMs };
  return untilMs === undefined ? { value, version } : { value, untilMs, version };
}
