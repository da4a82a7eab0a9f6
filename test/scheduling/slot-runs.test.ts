import fc from 'fast-check';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type PipelinedRegions, pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, ExecutorId, RegionId } from '../../src/ids.ts';
import { PipelinedRegionScheduling } from '../../src/scheduling/pipelined-region-scheduling.ts';
import type { Slot } from '../../src/scheduling/slot-offers.ts';
import { SlotPool } from '../../src/scheduling/slot-pool.ts';
import { drawn } from '../graph/drawn-graph.ts';

const executor = (name: string) => name as ExecutorId;
const region = (id: number) => id as RegionId;
const task = (id: number) => id as ExecutionVertexId;

const anyVertex = fc.record({
  width: fc.integer({ min: 1, max: 4 }),
  group: fc.constantFrom('', '', '/g', '/h'),
  place: fc.constantFrom('', '', '', '@p'),
});
const anyEdge = fc.record({
  from: fc.nat(),
  to: fc.nat(),
  arrow: fc.constantFrom('->', '-x>', '=>', '=x>', '~>', '~x>'),
});

/** A job with groups. Co-located vertices are in one group and equally wide. */
const anyJob = fc
  .tuple(fc.array(anyVertex, { minLength: 1, maxLength: 7 }), fc.array(anyEdge, { maxLength: 9 }))
  .map(([vertices, edges]) => {
    const names = vertices.map(({ width, group, place }, index) =>
      place === '' ? `v${index}${group}:${width}` : `v${index}/g@p:3`,
    );
    return [
      ...names,
      ...edges.flatMap(({ from, to, arrow }) => {
        const [a, b] = [from % names.length, to % names.length].sort((one, other) => one - other) as [number, number];
        return a === b ? [] : [`${names[a]} ${arrow} ${names[b]}`];
      }),
    ];
  });

/** A run of a job over executors of which some are lost; its tasks end in a drawn order. */
class DrawnScheduling {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  readonly pool: SlotPool;
  readonly finished = new Set<number>();
  readonly running = new Map<number, Slot>();
  readonly #scheduling: PipelinedRegionScheduling;
  readonly #sizes = new Map<string, number>();

  constructor(lines: readonly string[]) {
    this.graph = drawn(...lines);
    this.regions = pipelinedRegions(this.graph);
    this.#scheduling = new PipelinedRegionScheduling(this.graph, this.regions);
    this.pool = new SlotPool({ graph: this.graph, isReady: (id) => this.#scheduling.isReady(id) });
  }

  /** As many slots as the largest region needs. */
  get least(): number {
    return Math.max(...this.#all().map((id) => this.pool.sharing.slotsOf(this.regions.verticesOf(id)).size));
  }

  join(name: string, slots: number): void {
    this.pool.addExecutor(executor(name), slots);
    this.#sizes.set(name, slots);
    this.#grant();
  }

  start(): void {
    this.#request(this.#scheduling.offer(this.#all()));
  }

  finish(id: number): void {
    const slot = this.running.get(id) as Slot;
    this.running.delete(id);
    this.finished.add(id);
    this.pool.release([slot]);
    this.#request(this.#scheduling.vertexFinished(task(id)));
    this.#grant();
  }

  /** Everything on it fails; its regions begin anew. */
  lose(name: string): void {
    const lost = new Set(
      [...this.running].flatMap(([id, slot]) => (slot.executor === name ? [this.#regionOf(id)] : [])),
    );
    this.pool.removeExecutor(executor(name));
    this.#sizes.delete(name);
    for (const restarted of lost) {
      for (const id of this.regions.verticesOf(restarted)) {
        this.finished.delete(id);
        const slot = this.running.get(id);
        this.running.delete(id);
        if (slot !== undefined) this.pool.release([slot]);
      }
    }
    this.#scheduling.invalidate(lost);
    this.#request(this.#scheduling.offer(lost));
    this.#grant();
  }

  /** What is wrong with the slots in use. */
  problems(): string[] {
    const found: string[] = [];
    const bySlot = new Map<string, number[]>();
    const placed = new Map<string, string>();
    for (const [id, { executor: on, index }] of this.running) {
      const slot = `${on}/${index}`;
      bySlot.set(slot, [...(bySlot.get(slot) ?? []), id]);
      const { jobVertex, index: subtask, name } = this.graph.subtask(task(id));
      const place = `${jobVertex.coLocationGroup} ${subtask}`;
      if (jobVertex.coLocationGroup === undefined) continue;
      if ((placed.get(place) ?? slot) !== slot) found.push(`${name} is in ${slot}, not in ${placed.get(place)}`);
      placed.set(place, slot);
    }
    for (const [slot, tasks] of bySlot) {
      const vertices = tasks.map((id) => this.graph.jobVertexOf(task(id)));
      const groups = new Set(vertices.map(({ slotSharingGroup }) => slotSharingGroup));
      if (new Set(vertices).size < tasks.length) found.push(`${slot} has two tasks of a vertex`);
      if (tasks.length > 1 && (groups.size > 1 || groups.has(undefined))) found.push(`${slot} has several groups`);
    }
    for (const { executor: on, slots, used } of this.pool.usage()) {
      const actual = [...bySlot.keys()].filter((slot) => slot.startsWith(`${on}/`)).length;
      if (used !== actual || used > slots) found.push(`${on} has ${actual} slots in use, and says ${used} of ${slots}`);
    }
    return found;
  }

  #request(ready: readonly RegionId[]): void {
    for (const id of ready) this.#begin(id, this.pool.request(id, this.regions.verticesOf(id)));
  }

  #grant(): void {
    for (const granted of this.pool.grants()) this.#begin(granted.region, granted.slots);
  }

  #begin(id: RegionId, slots: readonly Slot[] | undefined): void {
    for (const [index, slot] of (slots ?? []).entries()) {
      this.running.set(this.regions.verticesOf(id)[index] as number, slot);
    }
  }

  #all(): RegionId[] {
    return Array.from({ length: this.regions.count }, (_, id) => region(id));
  }

  #regionOf(id: number): RegionId {
    return this.regions.regionOf(task(id));
  }
}

describe('any job over executors with as many slots as its largest region needs', () => {
  it('runs to its end, although executors are lost, and no slot has more tasks than the rules allow', () => {
    fc.assert(
      fc.property(anyJob, fc.array(fc.nat(), { maxLength: 60 }), (lines, choices) => {
        const run = new DrawnScheduling(lines);
        const { least } = run;
        run.join('A', least);
        if ((choices[0] ?? 0) % 2 === 0) run.join('B', 2);
        run.start();
        expect(run.problems()).toEqual([]);
        let lives = 0;
        for (const choice of [...choices, ...Array.from({ length: run.graph.vertexCount + 1 }, () => 0)]) {
          if (run.running.size === 0) break;
          if (choice % 11 === 10 && lives < 3) {
            run.lose('A');
            run.join('A', least);
            lives++;
          } else {
            run.finish([...run.running.keys()][choice % run.running.size] as number);
          }
          expect(run.problems()).toEqual([]);
        }
        expect(run.finished.size).toBe(run.graph.vertexCount);
        expect([run.pool.pendingRequests, run.pool.freeSlots]).toEqual([0, run.pool.totalSlots]);
      }),
      { numRuns: 100 },
    );
  });
});
