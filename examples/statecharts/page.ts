import {
  checkpointCoordinatorMachine,
  executionMachine,
  failoverMachine,
  heartbeatMachine,
  jobMasterMachine,
  partitionMachine,
  pendingCheckpointMachine,
  regionMachine,
  taskExecutorMachine,
} from 'kintsugi';
import type { AnyStateMachine } from 'xstate';
import { mermaid } from './mermaid.ts';

const machines: readonly (readonly [AnyStateMachine, string])[] = [
  [jobMasterMachine, 'One per run: the life of the job. It stays `running` while regions restart.'],
  [regionMachine, 'One per pipelined region: the tasks that run, fail and restart together.'],
  [
    executionMachine,
    'One per attempt of each task. Events `task.…` are reports of the task, fenced by the attempt number.',
  ],
  [
    failoverMachine,
    'One per failure: asks strategy and backoff, and watches the restarting regions until they run again.',
  ],
  [partitionMachine, 'One per result of an attempt.'],
  [taskExecutorMachine, 'One per task executor: its slots and its connection to the job master.'],
  [
    checkpointCoordinatorMachine,
    'One per streaming component of a job with checkpoints: when they are triggered, and what their ends mean.',
  ],
  [pendingCheckpointMachine, 'One per checkpoint of a component, from the decision to trigger it to its end.'],
  [
    heartbeatMachine,
    'One at each end of a connection that is watched: whether the other end still answers. Whoever was itself stalled asks once more.',
  ],
];

/** The page `docs/statecharts.md`. */
export function statechartsPage(): string {
  const charts = machines.map(
    ([machine, about]) => `## ${machine.id}\n\n${about}\n\n\`\`\`mermaid\n${mermaid(machine)}\n\`\`\`\n`,
  );
  return [
    '# Statecharts\n',
    'Drawn from the machines themselves by `npm run draw`. Actions and transitions that stay in their state are left out.\n',
    ...charts,
  ].join('\n');
}
