import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyStateMachine } from 'xstate';
import { toDirectedGraph } from 'xstate/graph';
import { mermaid } from '../../examples/statecharts/mermaid.ts';
import { statechartsPage } from '../../examples/statecharts/page.ts';
import * as kintsugi from '../../src/index.ts';

const machines = Object.entries<unknown>(kintsugi).filter(
  (entry): entry is [string, AnyStateMachine] => entry[0].endsWith('Machine') && typeof entry[1] === 'object',
);

describe('statecharts', () => {
  it('are exported', () => {
    expect(machines.map(([name]) => name).sort()).toEqual([
      'checkpointCoordinatorMachine',
      'executionMachine',
      'failoverMachine',
      'heartbeatMachine',
      'jobMasterMachine',
      'partitionMachine',
      'pendingCheckpointMachine',
      'regionMachine',
      'taskExecutorMachine',
    ]);
  });

  it.each(machines)('%s can be drawn: every state and transition of its graph is in the picture', (_, machine) => {
    const picture = mermaid(machine);
    const visit = ({ children, edges, stateNode }: ReturnType<typeof toDirectedGraph>): void => {
      if (stateNode.path.length > 0)
        expect(picture).toContain(`state "${stateNode.key}" as ${stateNode.path.join('_')}`);
      for (const { source, target } of edges) {
        if (source === target) continue;
        const [from, to] = [source, target].map(({ path, machine: { id } }) => path.join('_') || id);
        expect(picture).toContain(`${from} --> ${to}: `);
      }
      children.forEach(visit);
    };
    visit(toDirectedGraph(machine));
  });

  it('are up to date in docs/statecharts.md (npm run draw)', () => {
    const path = join(__dirname, '..', '..', 'docs', 'statecharts.md');
    expect(readFileSync(path, 'utf8')).toBe(statechartsPage());
  });
});
