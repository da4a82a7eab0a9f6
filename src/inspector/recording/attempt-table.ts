import type { JobEvent } from '../../actors/job-event.ts';
import { type ExecutionState, executionStates } from '../../actors/protocol/states.ts';
import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { Column } from './column.ts';
import type { AttemptColumns } from './recording-line.ts';

type StateChanged = Extract<JobEvent, { type: 'task.stateChanged' }>;
type Ended = Extract<JobEvent, { type: 'task.ended' }>;

/** The columns of times, by the state that begins then. */
const timeByState = {
  created: 'createdMs',
  scheduled: 'scheduledMs',
  deploying: 'deployingMs',
  initializing: undefined,
  running: 'runningMs',
  canceling: 'cancelingMs',
  finished: 'endedMs',
  canceled: 'endedMs',
  failed: 'endedMs',
} as const satisfies Record<ExecutionState, keyof AttemptColumns | undefined>;

const indexOfState = new Map(executionStates.map((state, index) => [state, index]));

/** Rows kept in addition to two per task. */
const mostRows = 200_000;

const names = [
  ...['task', 'attempt', 'state', 'recordsIn', 'recordsOut'],
  ...['createdMs', 'scheduledMs', 'deployingMs', 'runningMs', 'cancelingMs', 'endedMs'],
] as readonly (keyof AttemptColumns)[];

/**
 * The attempts of a run, one row each in the order of their creation: 70 bytes. A time that was not reached is NaN.
 * Above `mostRows` the older half gives up attempts that have successors.
 */
export class AttemptTable {
  readonly task = new Column(Int32Array);
  readonly attempt = new Column(Int32Array);
  readonly state = new Column(Uint8Array);
  readonly recordsIn = new Column(Float64Array);
  readonly recordsOut = new Column(Float64Array);
  readonly createdMs = new Column(Float64Array);
  readonly scheduledMs = new Column(Float64Array);
  readonly deployingMs = new Column(Float64Array);
  readonly runningMs = new Column(Float64Array);
  readonly cancelingMs = new Column(Float64Array);
  readonly endedMs = new Column(Float64Array);
  /** By row: the row of the task's earlier attempt, or -1. */
  readonly #earlier = new Column(Int32Array);
  /** By task: the row of its latest attempt, or -1. */
  readonly #latest: Int32Array;
  /** By task: 1 if an attempt has been deployed. */
  readonly #begun: Uint8Array;
  /** By job vertex and state: the tasks whose latest attempt is in it. */
  readonly #counts: Int32Array;
  readonly #graph: ExecutionGraph;
  readonly #mostRows: number;

  constructor(graph: ExecutionGraph, plain?: AttemptColumns, most = mostRows) {
    this.#graph = graph;
    this.#mostRows = most + 2 * graph.vertexCount;
    this.#latest = new Int32Array(graph.vertexCount).fill(-1);
    this.#begun = new Uint8Array(graph.vertexCount);
    this.#counts = new Int32Array(graph.jobGraph.vertices.length * executionStates.length);
    if (plain === undefined) return;
    for (const name of names) for (const value of plain[name]) this[name].push(value ?? NaN);
    for (let row = 0; row < this.size; row++) {
      this.#link(row);
      if (!Number.isNaN(this.deployingMs.at(row))) this.#begun[this.task.at(row)] = 1;
    }
  }

  /** The number of rows. */
  get size(): number {
    return this.task.length;
  }

  /** The row of the latest attempt of a task; -1 if it has none. */
  latestOf(task: number): number {
    return this.#latest[task] ?? -1;
  }

  /** The row of the earlier attempt of the same task; -1 if it has none, or it is not kept. */
  before(row: number): number {
    return this.#earlier.at(row);
  }

  stateOf(row: number): ExecutionState {
    return executionStates[this.state.at(row)] as ExecutionState;
  }

  /** The number of tasks of a job vertex whose latest attempt is in a state. O(1). */
  countOf(jobVertex: number, state: ExecutionState): number {
    return this.#counts[jobVertex * executionStates.length + (indexOfState.get(state) as number)] as number;
  }

  /** Whether an attempt of a task has been deployed. */
  hasBegun(task: number): boolean {
    return this.#begun[task] === 1;
  }

  /** Takes the end of an attempt. */
  end(event: Ended): void {
    const row = this.#rowOf(event.vertex, event.attempt);
    this.recordsIn.set(row, event.recordsIn);
    this.recordsOut.set(row, event.recordsOut);
  }

  /**
   * Takes a new state of an attempt, and returns the index of the one before; -1 for a new attempt. O(1); O(rows) once in
   * many.
   */
  next(event: StateChanged): number {
    const sizeBefore = this.size;
    const row = this.#rowOf(event.vertex, event.attempt);
    const before = row === sizeBefore ? -1 : this.state.at(row);
    const isLatest = row === this.latestOf(event.vertex);
    if (isLatest) this.#count(row, -1);
    this.state.set(row, indexOfState.get(event.state) ?? 0);
    if (isLatest) this.#count(row, 1);
    const time = timeByState[event.state];
    if (time !== undefined) this[time].set(row, event.atMs);
    if (event.state === 'deploying') this.#begun[event.vertex] = 1;
    return before;
  }

  toPlain(): AttemptColumns {
    return Object.fromEntries(
      names.map((name) => [name, Array.from(this[name].values, (value) => (Number.isNaN(value) ? null : value))]),
    ) as unknown as AttemptColumns;
  }

  #rowOf(task: number, attempt: number): number {
    let row = this.latestOf(task);
    while (row >= 0 && this.attempt.at(row) > attempt) row = this.before(row);
    return row >= 0 && this.attempt.at(row) === attempt ? row : this.#append(task, attempt);
  }

  #append(task: number, attempt: number): number {
    if (this.size >= this.#mostRows) this.#thin();
    const row = this.size;
    for (const name of names) this[name].push(name.endsWith('Ms') ? NaN : 0);
    this.task.set(row, task);
    this.attempt.set(row, attempt);
    this.#link(row);
    return row;
  }

  /** Makes a row the latest of its task, unless there is a later one. */
  #link(row: number): void {
    const task = this.task.at(row);
    const before = this.latestOf(task);
    this.#earlier.push(before);
    if (before >= 0) this.#count(before, -1);
    this.#latest[task] = row;
    this.#count(row, 1);
  }

  #count(row: number, change: number): void {
    const jobVertex = this.#graph.jobVertexIndexOf(this.task.at(row) as ExecutionVertexId);
    const at = jobVertex * executionStates.length + this.state.at(row);
    this.#counts[at] = (this.#counts[at] as number) + change;
  }

  #thin(): void {
    const { size } = this;
    const kept: number[] = [];
    for (let row = 0; row < size; row++) {
      if (row * 2 >= size || this.latestOf(this.task.at(row)) === row) kept.push(row);
    }
    for (const name of names) this[name].keep(kept);
    this.#earlier.keep([]);
    this.#latest.fill(-1);
    this.#counts.fill(0);
    for (let row = 0; row < this.size; row++) this.#link(row);
  }
}
