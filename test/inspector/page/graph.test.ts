import { graphModel } from '../../../src/inspector/page/graph/graph-model.ts';
import { type Box, layOut, pathThrough } from '../../../src/inspector/page/graph/graph-layout.ts';
import { restartPreview, restartsIn } from '../../../src/inspector/page/graph/restart-preview.ts';
import type { ExecutionVertexId } from '../../../src/ids.ts';
import { assumedRestart } from '../../../src/inspector/recording/assumed-restart.ts';
import { recordedShape } from '../../../src/inspector/recording/recorded-shape.ts';
import type { RunLine } from '../../../src/inspector/recording/recording-line.ts';
import { RunPicture } from '../../../src/inspector/recording/run-picture.ts';
import { eventLine, runLine, taskLine } from '../recorded-lines.ts';

//  read ──pipelined──▶ parse ──blocking──▶ sum ──pipelined──▶ write
//                        └────reliable───▶ log
const fork = runLine(
  [
    ['read', 2],
    ['parse', 2],
    ['sum', 3],
    ['log', 1],
    ['write', 3],
  ],
  [
    ['read', 'pipelined', 'parse'],
    ['parse', 'blocking', 'sum'],
    ['parse', 'reliable', 'log'],
    ['sum', 'pipelined', 'write'],
  ],
);

function pointwise(line: RunLine): RunLine {
  return { ...line, edges: line.edges.map((edge) => ({ ...edge, pattern: 'pointwise' as const })) };
}

describe('the drawn graph', () => {
  it('has a hull for the vertices whose tasks restart together, and says how many regions they are', () => {
    const names = fork.vertices.map(({ id }) => id);
    const hullsOf = (line: RunLine) =>
      graphModel(recordedShape(line)).hulls.map(({ nodes, regionCount }) => [
        nodes.map((node) => names[node]).join(' '),
        regionCount,
      ]);
    expect(hullsOf(fork)).toEqual([
      ['read parse', 1],
      ['sum write', 1],
      ['log', 1],
    ]);
    expect(hullsOf(pointwise(fork))).toEqual([
      ['read parse', 2],
      ['sum write', 3],
      ['log', 1],
    ]);
  });

  it('draws chains of a large job as one box each', () => {
    const { nodes, edges, nodeOf } = graphModel(recordedShape(fork), 4);
    expect(nodes.map(({ vertices, taskCount }) => [vertices, taskCount])).toEqual([
      [[0, 1], 4],
      [[2, 4], 6],
      [[3], 1],
    ]);
    expect(nodeOf).toEqual([0, 0, 1, 2, 1]);
    expect(edges.map(({ edge, source, target }) => [edge, source, target])).toEqual([
      [1, 0, 1],
      [2, 0, 2],
    ]);
  });

  it('is laid out from left to right; boxes do not overlap, and hulls hold their own boxes alone', () => {
    const model = graphModel(recordedShape(fork));
    const { nodes, edges, hulls, width, height } = layOut(model);
    const overlaps = (a: Box, b: Box): boolean =>
      a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
    for (const [at, node] of nodes.entries()) {
      expect(node.x).toBeGreaterThanOrEqual(0);
      expect(node.y).toBeGreaterThanOrEqual(0);
      expect(node.x + node.width).toBeLessThanOrEqual(width);
      expect(node.y + node.height).toBeLessThanOrEqual(height);
      for (const other of nodes.slice(at + 1)) expect(overlaps(node, other)).toBe(false);
      const around = hulls.flatMap((hull, index) => (overlaps(hull, node) ? [index] : []));
      expect(around).toEqual([model.hulls.findIndex((hull) => hull.nodes.includes(at))]);
    }
    for (const { source, target } of model.edges) {
      expect((nodes[source] as Box).x + (nodes[source] as Box).width).toBeLessThan((nodes[target] as Box).x);
    }
    expect(edges.map(({ points }) => pathThrough(points).startsWith('M'))).toEqual(edges.map(() => true));
  });

  it('keeps a hull together: a vertex of another one does not come between its boxes', () => {
    //  a ──pipelined──▶ x
    //  ├───blocking───▶ m
    //  └──pipelined──▶ y
    const line = runLine(
      [
        ['a', 1],
        ['x', 1],
        ['m', 1],
        ['y', 1],
      ],
      [
        ['a', 'pipelined', 'x'],
        ['a', 'blocking', 'm'],
        ['a', 'pipelined', 'y'],
      ],
    );
    const [, x, m, y] = layOut(graphModel(recordedShape(line))).nodes as [Box, Box, Box, Box];
    expect(m.y > Math.max(x.y, y.y) || m.y < Math.min(x.y, y.y)).toBe(true);
  });

  it('lays out three hundred vertices of a fan in a moment', () => {
    const middle = Array.from({ length: 298 }, (_, at) => `step-${at}`);
    const line = runLine(
      [['in', 1], ...middle.map((id) => [id, 1] as const), ['out', 1]],
      middle.flatMap((id) => [['in', 'blocking', id] as const, [id, 'blocking', 'out'] as const]),
    );
    const layout = layOut(graphModel(recordedShape(line)));
    expect(new Set(layout.nodes.map(({ x, y }) => `${x} ${y}`)).size).toBe(300);
  });
});

describe('what would restart', () => {
  /** If a task, or all tasks of a vertex, failed. */
  function ifFailed(picture: RunPicture, name: string): ReturnType<typeof assumedRestart> {
    const { graph } = picture.shape;
    const all = Array.from({ length: graph.vertexCount }, (_, task) => task as ExecutionVertexId);
    const tasks = all.filter((task) => graph.nameOf(task) === name || graph.jobVertexOf(task).id === name);
    return assumedRestart(picture, name, tasks);
  }

  /** A run in which every task runs, but for `finished` ones, whose regions have finished. */
  function running(line: RunLine, finished: readonly number[] = []): RunPicture {
    const picture = new RunPicture(line);
    const { graph, regions } = picture.shape;
    for (let task = 0; task < graph.vertexCount; task++) {
      const state = finished.includes(task) ? 'finished' : 'running';
      picture.next(taskLine(task, 0, 'running'));
      picture.next(taskLine(task, 0, state));
      const region = regions.regionOf(task as never);
      picture.next(eventLine({ type: 'region.stateChanged', atMs: 0, region, state }));
    }
    return picture;
  }

  it.each<[failed: string, finished: number[], tasks: string[], reused: string[]]>([
    ['sum[1]', [0, 1, 2, 3], ['sum 0-3', 'write 0-3'], ['parse→sum 2']],
    ['parse[0]', [], ['read 0-2', 'parse 0-2', 'sum 0-3', 'log 0-1', 'write 0-3'], []],
    ['log[0]', [0, 1, 2, 3], ['log 0-1'], ['parse→log 2']],
    ['write', [0, 1, 2, 3], ['sum 0-3', 'write 0-3'], ['parse→sum 2']],
  ])('if %s failed: by the rules of the engine, and by what is finished', (failed, finished, tasks, reused) => {
    const scope = ifFailed(running(fork, finished), failed);
    expect(
      scope.tasks.map(
        ({ vertex, subtasks }) => `${vertex} ${subtasks.map(({ start, end }) => `${start}-${end}`).join(' ')}`,
      ),
    ).toEqual(tasks);
    expect(scope.reused.map(({ source, target, results }) => `${source}→${target} ${results}`)).toEqual(reused);
  });

  it('takes the producer along if its result is lost', () => {
    const picture = running(fork, [0, 1, 2, 3]);
    const cause = new Error('damaged');
    picture.next(eventLine({ type: 'partition.lost', atMs: 1, partition: 'parse[1]→log', cause, location: undefined }));
    expect(ifFailed(picture, 'log[0]').tasks.map(({ vertex }) => vertex)).toContain('parse');
    expect(ifFailed(picture, 'log[0]').taskCount).toBe(11);
  });

  it('is shown by box and edge', () => {
    const whole = running(fork, [0, 1, 2, 3]);
    const all = restartPreview(ifFailed(whole, 'sum[1]'), graphModel(whole.shape), whole.shape);
    expect(all.restartingOf).toEqual([0, 0, 3, 0, 3]);
    const line = pointwise(fork);
    const picture = running(line, [0, 1, 2, 3]);
    const scope = ifFailed(picture, 'sum[1]');
    const model = graphModel(picture.shape);
    const preview = restartPreview(scope, model, picture.shape);
    expect(preview.restartingOf).toEqual([0, 0, 1, 0, 1]);
    expect([...preview.reusedOf]).toEqual([[1, 1]]);
    expect([0, 1, 2].map(restartsIn(scope, 'write'))).toEqual([false, true, false]);
  });
});
