import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { coLocationGroups, type JobGraph, type JobVertex } from '../graph/job-graph.ts';
import type { ExecutionVertexId } from '../ids.ts';

/** The shared slots of one slot sharing group, or of one vertex that is in none. */
export interface SharingGroup {
  /** undefined for a vertex in no group. */
  readonly name: string | undefined;
  /** Its shared slots: as many may be in use at once. */
  readonly slots: readonly number[];
}

interface GrowingGroup extends SharingGroup {
  readonly slots: number[];
}

/** By shared slot: the job vertex that was placed last with a subtask in it. */
type LastPlaced = number[];

/**
 * Which tasks share a slot: a *shared slot* is a set of tasks that run in one slot, whenever they run. It has at most one
 * subtask of each vertex, all of one slot sharing group; co-located subtasks of equal index are in one. Tasks in no group
 * have a slot each.
 *
 * A subtask joins the slot of one of its producers if that has none of its vertex, or else any slot of its group, or else
 * a new one. O(tasks and groups of the graph). (Flink: `LocalInputPreferredSlotSharingStrategy`.)
 */
export class SlotSharing {
  readonly #graph: ExecutionGraph;
  /** By task. */
  readonly #slots: Int32Array;
  /** By shared slot. */
  readonly #groups: GrowingGroup[] = [];
  /** By shared slot: the number of its tasks. */
  readonly #sizes: number[] = [];

  constructor(graph: ExecutionGraph) {
    this.#graph = graph;
    this.#slots = new Int32Array(graph.vertexCount).fill(-1);
    const { vertices } = graph.jobGraph;
    const byName = new Map<string, GrowingGroup>();
    const coLocated = new Map<string, number>();
    const lastPlaced: LastPlaced = [];
    const nextProducers = new Int32Array(graph.groupCount);
    for (const [index, name] of slotSharingGroups(graph.jobGraph).entries()) {
      const group: GrowingGroup = (name === undefined ? undefined : byName.get(name)) ?? { name, slots: [] };
      if (name !== undefined) byName.set(name, group);
      const { coLocationGroup } = vertices[index] as JobVertex;
      const first = coLocationGroup === undefined ? undefined : coLocated.get(coLocationGroup);
      if (first !== undefined) this.#joinCoLocated(index, first);
      else if (group.slots.length > 0) {
        this.#joinProducers(index, group, lastPlaced, nextProducers);
        this.#joinAny(index, group, lastPlaced);
      }
      this.#createForOthers(index, group);
      if (coLocationGroup !== undefined && first === undefined) coLocated.set(coLocationGroup, index);
      this.#forEachSubtask(index, (vertex) => {
        const slot = this.of(vertex);
        lastPlaced[slot] = index;
        this.#sizes[slot] = (this.#sizes[slot] as number) + 1;
      });
    }
  }

  /** Number of shared slots: with as many slots, every task of the job can run at once. */
  get count(): number {
    return this.#groups.length;
  }

  /** The shared slot of a task. */
  of(vertex: ExecutionVertexId): number {
    return this.#slots[vertex] as number;
  }

  /** Number of tasks in a shared slot. */
  sizeOf(slot: number): number {
    return this.#sizes[slot] as number;
  }

  /** The group of a shared slot. */
  groupOf(slot: number): SharingGroup {
    return this.#groups[slot] as SharingGroup;
  }

  /** Whether a task must run in the slot of others. */
  isCoLocated(vertex: ExecutionVertexId): boolean {
    return this.#graph.jobVertexOf(vertex).coLocationGroup !== undefined;
  }

  /** The slots that tasks take together, each once. O(tasks) */
  slotsOf(vertices: ArrayLike<number>): Set<number> {
    const slots = new Set<number>();
    for (let index = 0; index < vertices.length; index++) slots.add(this.of(vertices[index] as ExecutionVertexId));
    return slots;
  }

  #joinCoLocated(jobVertex: number, first: number): void {
    const graph = this.#graph;
    this.#forEachSubtask(jobVertex, (vertex, subtask) => {
      this.#slots[vertex] = this.of(graph.vertexAt(first, subtask));
    });
  }

  /** Each consumer of a group looks on where the one before stopped: a slot that has a subtask of the vertex keeps it. */
  #joinProducers(jobVertex: number, group: SharingGroup, lastPlaced: LastPlaced, next: Int32Array): void {
    const graph = this.#graph;
    this.#forEachSubtask(jobVertex, (vertex) => {
      graph.forEachConsumedGroup(vertex, (read) => {
        const [start, end] = [graph.producerStart(read), graph.producerEnd(read)];
        while (this.#slots[vertex] === -1 && start + (next[read] as number) < end) {
          const slot = this.of((start + (next[read] as number)) as ExecutionVertexId);
          if (this.#groups[slot] !== group) return;
          if (lastPlaced[slot] !== jobVertex) this.#place(vertex, slot, jobVertex, lastPlaced);
          next[read] = (next[read] as number) + 1;
        }
      });
    });
  }

  #joinAny(jobVertex: number, group: SharingGroup, lastPlaced: LastPlaced): void {
    let at = 0;
    this.#forEachSubtask(jobVertex, (vertex) => {
      while (this.#slots[vertex] === -1 && at < group.slots.length) {
        const slot = group.slots[at++] as number;
        if (lastPlaced[slot] !== jobVertex) this.#place(vertex, slot, jobVertex, lastPlaced);
      }
    });
  }

  #createForOthers(jobVertex: number, group: GrowingGroup): void {
    this.#forEachSubtask(jobVertex, (vertex) => {
      if (this.#slots[vertex] !== -1) return;
      const slot = this.#groups.push(group) - 1;
      this.#sizes.push(0);
      group.slots.push(slot);
      this.#slots[vertex] = slot;
    });
  }

  #place(vertex: ExecutionVertexId, slot: number, jobVertex: number, lastPlaced: LastPlaced): void {
    this.#slots[vertex] = slot;
    lastPlaced[slot] = jobVertex;
  }

  #forEachSubtask(jobVertex: number, visit: (vertex: ExecutionVertexId, subtask: number) => void): void {
    const { parallelism } = this.#graph.jobGraph.vertices[jobVertex] as JobVertex;
    for (let subtask = 0; subtask < parallelism; subtask++) visit(this.#graph.vertexAt(jobVertex, subtask), subtask);
  }
}

/** A slot sharing group: its vertices, and the number of slots that their tasks share. */
export interface SharedSlots {
  readonly group: string;
  readonly slots: number;
  readonly vertices: readonly string[];
}

/** The slot sharing groups of a job. */
export function sharedSlots(graph: ExecutionGraph): SharedSlots[] {
  const sharing = new SlotSharing(graph);
  const groups = new Map<SharingGroup, SharedSlots & { readonly vertices: string[] }>();
  for (const [index, { id }] of graph.jobGraph.vertices.entries()) {
    const group = sharing.groupOf(sharing.of(graph.vertexAt(index, 0)));
    if (group.name === undefined) continue;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, { group: group.name, slots: group.slots.length, vertices: [id] });
    else known.vertices.push(id);
  }
  return [...groups.values()];
}

/**
 * The name of the slot sharing group of each vertex; undefined if its subtasks have slots of their own. A co-location
 * group of which no member is in a slot sharing group is one by itself.
 */
function slotSharingGroups(jobGraph: JobGraph): (string | undefined)[] {
  const names = jobGraph.vertices.map(({ slotSharingGroup }) => slotSharingGroup);
  for (const [group, members] of coLocationGroups(jobGraph)) {
    const shared = members.map((member) => names[member]).find((name) => name !== undefined);
    for (const member of members) names[member] = shared ?? `co-location group ${group}`;
  }
  return names;
}
