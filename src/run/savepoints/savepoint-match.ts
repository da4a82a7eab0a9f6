import { SavepointMismatchError } from '../../errors/savepoint-errors.ts';
import type { Sink } from '../../operators/sink.ts';
import type { Source } from '../../operators/source.ts';
import {
  type SavepointContent,
  type SavepointStep,
  type SavepointVertex,
  subtaskStatesOf,
  type VertexOutline,
} from './savepoint-content.ts';

/** A step of the savepoint, and the tasks in which it ran. */
export interface Home {
  readonly vertex: SavepointVertex;
  readonly step: SavepointStep;
}

/**
 * What becomes of a vertex of a job that begins with a savepoint.
 * - `new`: the savepoint has no state for it.
 * - `same`: its tasks are those of `before`.
 * - `rebuilt`: its tasks get the states of its steps, wherever they ran.
 */
export type VertexMatch =
  | { readonly kind: 'new' }
  | { readonly kind: 'same'; readonly before: SavepointVertex }
  | { readonly kind: 'rebuilt' };

export interface MatchQuestion {
  readonly directory: string;
  readonly content: Pick<SavepointContent, 'vertices'>;
  /** By index of the vertex. */
  readonly outlines: readonly VertexOutline[];
  /** By index of the vertex, */
  readonly sources: readonly (Pick<Source<unknown>, 'name' | 'redistribute'> | undefined)[];
  /** and parallel to the sinks of its outline. */
  readonly sinks: readonly (readonly Pick<Sink<never>, 'name' | 'redistribute' | 'redo'>[])[];
  readonly allowRemovedState: boolean;
}

/** What of a savepoint goes to which vertex. */
export interface SavepointMatch {
  /** By index of the vertex. */
  readonly vertices: readonly VertexMatch[];
  /** By uid. */
  readonly homes: ReadonlyMap<string, Home>;
  /** uids of steps with a state that the job does not have. */
  readonly removed: readonly string[];
}

/**
 * Finds the states of a savepoint for the steps of a job, by uid. A step without a state there begins empty.
 * @throws SavepointMismatchError
 */
export function matchSavepoint(question: MatchQuestion): SavepointMatch {
  const { content, outlines, allowRemovedState, directory } = question;
  const homes = new Map<string, Home>();
  for (const vertex of content.vertices) for (const step of vertex.steps) homes.set(step.uid, { vertex, step });
  const present = new Set(outlines.flatMap(({ steps }) => steps.map(({ uid }) => uid)));
  const removed = [...homes.values()].filter((home) => hasState(home) && !present.has(home.step.uid));
  const [lost] = removed;
  if (lost !== undefined && !allowRemovedState) {
    throw new SavepointMismatchError(
      directory,
      lost.step.uid,
      'the job has no step of that uid, and its state would be lost',
      'Give the step its uid back, or say `allowRemovedState: true` to drop the state',
    );
  }
  for (const { steps } of outlines) for (const step of steps) checkStep(step, homes.get(step.uid), question);
  const vertices = outlines.map((outline, index): VertexMatch => {
    const own = outline.steps.flatMap(({ uid }) => homes.get(uid) ?? []);
    if (own.length === 0) return { kind: 'new' };
    const [{ vertex }] = own as [Home];
    const collects = question.sinks[index]?.some(({ redo }) => redo === 'collects') === true;
    const drops = outline.steps.some((step) => droppedStates(step, homes.get(step.uid)).size > 0);
    if (isSame(vertex, outline) && !collects && !drops && !outline.steps.some(unites))
      return { kind: 'same', before: vertex };
    checkEnds(outline, index, homes, question);
    return { kind: 'rebuilt' };
  });
  return { vertices, homes, removed: removed.map(({ step }) => step.uid) };
}

/** Whether a step keeps anything. What a fold holds before its shuffle is handed on before a savepoint. */
function hasState({ vertex, step: { uid, role, kind } }: Home): boolean {
  return role !== 'operator' || (vertex.tables.includes(uid) && !kind.endsWith(' (partial)'));
}

/** The names of the states that a step had and does not declare any more. */
export function droppedStates(now: SavepointStep, home: Home | undefined): ReadonlySet<string> {
  const before = Object.keys(home?.step.states ?? {});
  return new Set(before.filter((name) => now.states?.[name] === undefined));
}

function isSame(before: VertexOutline, now: VertexOutline): boolean {
  const shape = ({ id, parallelism, steps, tables, sinks }: VertexOutline): string =>
    JSON.stringify([id, parallelism, steps.map(({ uid, role, kind }) => [uid, role, kind]), tables, sinks]);
  return shape(before) === shape(now);
}

/** Whether each of its subtasks begins with what all of them had. */
function unites(step: SavepointStep): boolean {
  return Object.values(subtaskStatesOf(step) ?? {}).includes('union list');
}

function checkStep(now: SavepointStep, home: Home | undefined, { directory, allowRemovedState }: MatchQuestion): void {
  if (home === undefined || !hasState(home)) return;
  const before = home.step;
  const refuse = (why: string, remedy: string): never => {
    throw new SavepointMismatchError(directory, now.uid, why, remedy);
  };
  if (before.role !== now.role || before.kind !== now.kind) {
    refuse(`it was ${before.kind}, and is ${now.kind}`, 'Give it another uid, so that it begins empty');
  }
  const form = ({ states }: SavepointStep): string => (states === undefined ? 'one state' : 'states by name');
  if (form(before) !== form(now)) {
    refuse(`it had ${form(before)}, and has ${form(now)}`, 'Give it another uid, so that it begins empty');
  }
  for (const [name, kind] of Object.entries(before.states ?? {})) {
    const current = now.states?.[name];
    if (current === undefined && !allowRemovedState) {
      refuse(`it declares no state "${name}" any more`, 'Declare it, or say `allowRemovedState: true` to drop it');
    }
    if (current !== undefined && current !== kind) {
      refuse(`its state "${name}" was a ${kind} state, and is a ${current} state`, 'Give the state another name');
    }
    if (current !== undefined) checkVersion(name, before, now, refuse);
  }
}

/** Whether a state can read values of the version that was declared for it. */
function checkVersion(
  name: string,
  before: SavepointStep,
  now: SavepointStep,
  refuse: (why: string, remedy: string) => never,
): void {
  const { version: was } = before.versions?.[name] ?? { version: 1 };
  const { version: is, migrates } = now.versions?.[name] ?? { version: 1, migrates: false };
  const why = `its state "${name}" had version ${was}, and has version ${is}`;
  const otherwise = 'or give the state another name, under which it begins empty';
  if (was > is) refuse(why, `Run the code that declares version ${was} or a later one, ${otherwise}`);
  if (was < is && !migrates) refuse(`${why} without \`migrate\``, `Give it \`migrate\`, ${otherwise}`);
}

/** Whether the source and the sinks of a vertex can continue in other tasks. */
function checkEnds(
  { steps, sinks, parallelism }: VertexOutline,
  index: number,
  homes: ReadonlyMap<string, Home>,
  { directory, sources, sinks: targets }: MatchQuestion,
): void {
  const check = (uid: string, home: Home | undefined, can: boolean, what: string): void => {
    const before = home?.vertex.parallelism ?? parallelism;
    if (before === parallelism || can) return;
    throw new SavepointMismatchError(
      directory,
      uid,
      `it ran at parallelism ${before} and should run at ${parallelism}, and ${what}`,
      `Give it \`parallelism: ${before}\``,
    );
  };
  const [first] = steps;
  const source = sources[index];
  if (first?.role === 'source' && source !== undefined) {
    const can = source.redistribute !== undefined;
    check(first.uid, homes.get(first.uid), can, `the positions of ${source.name} cannot be divided anew`);
  }
  for (const [at, name] of sinks.entries()) {
    const sink = targets[index]?.[at];
    const can = sink?.redo === 'collects' || sink?.redistribute !== undefined;
    const uid = uidOfSink(name);
    check(uid, homes.get(uid), can, `what the sink ${sink?.name ?? name} has prepared cannot be divided anew`);
  }
}

/** The step to which a sink belongs. */
export function uidOfSink(name: string): string {
  return name.replace(/ \(dead letters\)$/, '');
}
