import { checkedExecutorPort, messageChecks } from '../src/actors/checked-port.ts';
import { OrderedPort } from '../src/actors/ordered-port.ts';
import type { ExecutorToMasterMessage, MasterToExecutorMessage } from '../src/actors/protocol/messages.ts';
import type { AttemptNumber, ExecutionVertexId } from '../src/ids.ts';
import { createJobGraph } from '../src/graph/job-graph.ts';
import { ExecutionGraph } from '../src/graph/execution-graph.ts';
import { type Bench, type BenchOptions, type BenchRow, measure } from './harness.ts';

const messageCount = 20_000;

const [vertex, attempt] = [1 as ExecutionVertexId, 0 as AttemptNumber];

/** The reports of an attempt, as an executor sends them for each of its tasks. */
const reports: readonly ExecutorToMasterMessage[] = [
  { type: 'task.initializing', vertex, attempt },
  { type: 'task.running', vertex, attempt },
  {
    type: 'results.verified',
    token: 1,
    lost: [],
    found: [{ id: { partition: 1 as never, attempt }, records: 3, bytes: 90 }],
  },
  { type: 'task.finished', vertex, attempt, statistics: { recordsIn: 3, recordsOut: 3, isCurtailed: false } },
];

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const graph = new ExecutionGraph(
    createJobGraph(
      'bench',
      [
        { id: 'a', parallelism: 2 },
        { id: 'b', parallelism: 2 },
      ],
      [],
    ),
  );
  const checks = messageChecks({ vertexCount: 4, partitionCount: 4, jobGraph: graph.jobGraph });
  const work = (): number => {
    let heard = 0;
    const executor: OrderedPort<ExecutorToMasterMessage, MasterToExecutorMessage> = new OrderedPort({
      carry: (envelope) => master.receive(structuredClone(envelope)),
    });
    const master: OrderedPort<MasterToExecutorMessage, ExecutorToMasterMessage> = new OrderedPort({ carry: () => {} });
    checkedExecutorPort(master, checks).onMessage(({ type }) => {
      if (type === 'message.invalid') throw new Error('a report is not valid');
      heard++;
    });
    for (let sent = 0; sent < messageCount; sent++)
      executor.post(reports[sent % reports.length] as ExecutorToMasterMessage);
    if (heard !== messageCount) throw new Error(`${heard} messages arrived`);
    return heard;
  };
  const name = `protocol: ${messageCount / 1_000},000 reports, cloned, put in order and validated`;
  // 15 µs a message.
  return [await measure({ name, run: work, effort, goal: { atMost: (15 * messageCount) / 1_000 } })];
}

/** What a message between the master and an executor costs that does not share its thread. */
export const benches: readonly Bench[] = [{ name: 'protocol', run }];
