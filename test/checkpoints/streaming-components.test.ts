import fc from 'fast-check';
import { streamingComponents } from '../../src/checkpoints/streaming-components.ts';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { drawn, namesOf } from '../graph/drawn-graph.ts';
import { anyGraph, explicitEdges, reachability } from '../graph/naive-graph.ts';
import { draws } from '../support/draws.ts';

const componentsOf = (graph: ExecutionGraph) => streamingComponents(graph, pipelinedRegions(graph));

/** `a b | a`: the tasks of a component, and its heads; a `!` if it writes complete results. */
const drawnComponents = (graph: ExecutionGraph): string[] =>
  componentsOf(graph).list.map(
    ({ tasks, heads, writesCompleteResults }) =>
      `${namesOf(graph, tasks).join(' ')} | ${namesOf(graph, heads).join(' ')}${writesCompleteResults ? ' !' : ''}`,
  );

describe('streaming components', () => {
  it.each<[rule: string, drawing: readonly string[], components: readonly string[]]>([
    ['pipelines side by side are two', ['a:2 -> b:2'], ['a[0] b[0] | a[0]', 'a[1] b[1] | a[1]']],
    ['a shuffle makes one', ['a:2 -x> b:2'], ['a[0] a[1] b[0] b[1] | a[0] a[1]']],
    ['a reliable exchange joins them, although it cuts regions', ['a ^> b -> c'], ['a b c | a']],
    ['so does one in memory', ['a ~> b'], ['a b | a']],
    ['a blocking exchange cuts: its consumer is a head', ['a => b ^> c'], ['a | a !', 'b c | b']],
    ['what is connected some other way is one', ['a => b', 'a ^> c ^> b'], ['a c b | a !']],
    ['a task that reads both is no head', ['a ^> c', 'b => c'], ['a c | a', 'b | b !']],
    ['two sources are two heads', ['a -> c', 'b ^> c'], ['a b c | a b']],
  ])('%s', (_, drawing, components) => {
    expect(drawnComponents(drawn(...drawing)).sort()).toEqual([...components].sort());
  });

  it('says of each region in which component it is', () => {
    const graph = drawn('a ^> b', 'c');
    const regions = pipelinedRegions(graph);
    const components = streamingComponents(graph, regions);
    for (const component of components.list) {
      expect(component).toBe(components.list[component.id]);
      for (const region of component.regions) expect(components.componentOf(region)).toBe(component);
      expect(component.regions.flatMap((region) => [...regions.verticesOf(region)]).sort()).toEqual(component.tasks);
    }
  });

  it('of any graph: two tasks share one exactly if streaming exchanges and shared regions connect them', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const regions = pipelinedRegions(graph);
        const { list } = streamingComponents(graph, regions);
        const edges = explicitEdges(graph.jobGraph);
        const isStreaming = ({ exchange }: (typeof edges)[number]): boolean => exchange.name !== 'blocking';
        const tasks = Array.from({ length: graph.vertexCount }, (_, task) => task as ExecutionVertexId);
        const links = edges.filter(isStreaming).flatMap(({ producer, consumer }): [number, number][] => [
          [producer, consumer],
          [consumer, producer],
        ]);
        const inOneRegion = tasks.flatMap((a) =>
          tasks.filter((b) => regions.regionOf(a) === regions.regionOf(b)).map((b): [number, number] => [a, b]),
        );
        const reaches = reachability(graph.vertexCount, [...links, ...inOneRegion]);
        for (const task of tasks) {
          const component = list.find((one) => one.tasks.includes(task));
          expect(component?.tasks).toEqual(tasks.filter((other) => reaches[task]?.[other]));
          const reads = edges.filter((edge) => edge.consumer === task && isStreaming(edge));
          expect(component?.heads.includes(task)).toBe(reads.length === 0);
        }
        for (const { tasks: own, writesCompleteResults } of list) {
          const writes = edges.some((edge) => own.includes(edge.producer as ExecutionVertexId) && !isStreaming(edge));
          expect(writesCompleteResults).toBe(writes);
        }
      }),
      { numRuns: draws(80, 200) },
    );
  });
});
