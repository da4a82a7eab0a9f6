import fc from 'fast-check';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { SlotSharing } from '../../src/scheduling/slot-sharing.ts';
import { drawn, namesOf } from '../graph/drawn-graph.ts';
import { draws } from '../support/draws.ts';

/** The tasks of each shared slot. */
const slotsOf = (...lines: readonly string[]): string[] => {
  const graph = drawn(...lines);
  const sharing = new SlotSharing(graph);
  const tasks = Array.from({ length: sharing.count }, (): number[] => []);
  for (let task = 0; task < graph.vertexCount; task++) tasks[sharing.of(task as ExecutionVertexId)]?.push(task);
  return tasks.map((slot) => namesOf(graph, slot).join(' '));
};

describe('tasks share slots', () => {
  it.each<{ why: string; lines: string[]; slots: string[] }>([
    { why: 'not without a group', lines: ['a:2 => b:2'], slots: ['a[0]', 'a[1]', 'b[0]', 'b[1]'] },
    {
      why: 'not with tasks of another group',
      lines: ['a/g:2', 'b/h:2'],
      slots: ['a[0]', 'a[1]', 'b[0]', 'b[1]'],
    },
    { why: 'of one group', lines: ['a/g:2', 'b/g:2'], slots: ['a[0] b[0]', 'a[1] b[1]'] },
    { why: 'in as many slots as the widest has tasks', lines: ['a/g', 'b/g:3'], slots: ['a b[0]', 'b[1]', 'b[2]'] },
    { why: 'with a producer', lines: ['a/g:2 =x> b/g:2'], slots: ['a[0] b[0]', 'a[1] b[1]'] },
    {
      why: 'with a producer, if no subtask of the vertex is there',
      lines: ['a/g:2 -> b/g:3'],
      slots: ['a[0] b[0]', 'a[1] b[2]', 'b[1]'],
    },
    {
      why: 'with a producer before any other',
      lines: ['x/g:3', 'a/g:4 -> b/g:2'],
      slots: ['x[0] a[0] b[0]', 'x[1] a[1]', 'x[2] a[2] b[1]', 'a[3]'],
    },
    {
      why: 'over two edges once',
      lines: ['a/g:2 =x> b/g:2', 'a =x> b'],
      slots: ['a[0] b[0]', 'a[1] b[1]'],
    },
    {
      why: 'not with a producer of another group',
      lines: ['a/g:2 => b/h:2 => c/g:2'],
      slots: ['a[0] c[0]', 'a[1] c[1]', 'b[0]', 'b[1]'],
    },
    {
      why: 'with the co-located task of equal index, wherever its producers are',
      lines: ['a/g@p:2', 'x/g:2 =x> b/g@p:2'],
      slots: ['a[0] x[0] b[0]', 'a[1] x[1] b[1]'],
    },
    { why: 'if co-located, without a group', lines: ['a@p:2', 'b@p:2', 'c:1'], slots: ['a[0] b[0]', 'a[1] b[1]', 'c'] },
    {
      why: 'in the group of one that they are co-located with',
      lines: ['a@p:2', 'b/g@p:2', 'c/g:2'],
      slots: ['a[0] b[0] c[0]', 'a[1] b[1] c[1]'],
    },
  ])('$why', ({ lines, slots }) => {
    expect(slotsOf(...lines).sort()).toEqual([...slots].sort());
  });

  it('as few as the parallelism of the widest vertex, each with one subtask of a vertex at most, for any groups', () => {
    const vertex = fc.record({
      group: fc.constantFrom('g', 'h'),
      place: fc.constantFrom('', '@p', '@q'),
      width: fc.integer({ min: 1, max: 5 }),
    });
    const edge = fc.record({ from: fc.nat(), to: fc.nat(), arrow: fc.constantFrom('->', '-x>', '=>', '=x>', '~x>') });
    fc.assert(
      fc.property(
        fc.array(vertex, { minLength: 1, maxLength: 6 }),
        fc.array(edge, { maxLength: 8 }),
        (given, edges) => {
          // Co-located vertices have one group and one parallelism.
          const widths: Record<string, number> = { '@p': 3, '@q': 2 };
          const names = given.map(({ group, place, width }, index) => {
            return place === ''
              ? `v${index}/${group}:${width}`
              : `v${index}/${place === '@p' ? 'g' : 'h'}${place}:${widths[place]}`;
          });
          const lines = edges.flatMap(({ from, to, arrow }) => {
            const [a, b] = [from % names.length, to % names.length].sort((one, other) => one - other) as [
              number,
              number,
            ];
            return a === b ? [] : [`${names[a]} ${arrow} ${names[b]}`];
          });
          const graph = drawn(...names, ...lines);
          const sharing = new SlotSharing(graph);
          const seen = new Set<string>();
          const places = new Map<string, number>();
          const width = new Map<string | undefined, number>();
          for (let task = 0 as ExecutionVertexId; task < graph.vertexCount; task++) {
            const { jobVertex, index } = graph.subtask(task);
            const slot = sharing.of(task);
            expect(sharing.groupOf(slot).name).toBe(jobVertex.slotSharingGroup);
            expect(seen.has(`${jobVertex.id} ${slot}`)).toBe(false);
            seen.add(`${jobVertex.id} ${slot}`);
            width.set(
              jobVertex.slotSharingGroup,
              Math.max(width.get(jobVertex.slotSharingGroup) ?? 0, jobVertex.parallelism),
            );
            if (jobVertex.coLocationGroup === undefined) continue;
            const place = `${jobVertex.coLocationGroup} ${index}`;
            expect(places.get(place) ?? slot).toBe(slot);
            places.set(place, slot);
          }
          const isLocated = graph.jobGraph.vertices.some(({ coLocationGroup }) => coLocationGroup !== undefined);
          const fewest = [...width.values()].reduce((sum, count) => sum + count, 0);
          if (!isLocated) expect(sharing.count).toBe(fewest);
          else expect(sharing.count).toBeGreaterThanOrEqual(fewest);
        },
      ),
      { numRuns: draws(80, 200) },
    );
  });
});
