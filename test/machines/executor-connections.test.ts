import { ActorHost } from '../../src/actors/actor-host.ts';
import type { VerifiedResults } from '../../src/actors/executor-gateway.ts';
import type { CheckpointReport } from '../../src/actors/protocol/checkpoint-messages.ts';
import type { JobEvent } from '../../src/actors/job-event.ts';
import type {
  ExecutorPort,
  ExecutorToMasterMessage,
  MasterToExecutorMessage,
} from '../../src/actors/protocol/messages.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, CheckpointId, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../../src/ids.ts';
import { ExecutorConnections } from '../../src/machines/connections/executor-connections.ts';
import { protocolVersion } from '../../src/version.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { ManualCluster } from '../support/manual-cluster.ts';

/** An executor's end, played by the test. */
class HandPort implements ExecutorPort {
  readonly posted: MasterToExecutorMessage[] = [];
  say: (message: ExecutorToMasterMessage) => void = () => {};
  closed: (why: string) => void = () => {};
  carried: (hasArrived: boolean) => void = () => {};

  close(why: string): void {
    this.closed(why);
  }

  post(message: MasterToExecutorMessage): void {
    this.posted.push(message);
  }

  onMessage(listener: (message: ExecutorToMasterMessage) => void): void {
    this.say = listener;
  }

  onClose(listener: (why: string) => void): void {
    this.closed = listener;
  }

  onSent(listener: (hasArrived: boolean) => void): void {
    this.carried = listener;
  }

  /** The token of the last question. */
  get token(): number {
    const asked = this.posted.findLast((message) => 'token' in message);
    return asked !== undefined && 'token' in asked ? asked.token : -1;
  }
}

//  a[2] ─reliable─▶ b[2]
function connected() {
  const cluster = new ManualCluster({
    vertices: [
      { id: 'a', parallelism: 2, deterministic: true },
      { id: 'b', parallelism: 2 },
    ],
    edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.reliable }],
    slots: 0,
  });
  const { ledger, clock, master } = cluster;
  const told: JobEvent[] = [];
  const checkpointsReported: CheckpointReport[] = [];
  const connections = new ExecutorConnections({
    ledger,
    clock,
    slotLimit: 4,
    observe: (event) => told.push(event),
    cancellationTimeoutMs: 1_000,
    checkpointReported: (report) => checkpointsReported.push(report),
  });
  connections.serve(master, ActorHost.root('test', { clock }));
  const [x, y] = ['x', 'y'] as [ExecutorId, ExecutorId];
  const ports = { x: new HandPort(), y: new HandPort() };
  connections.accept(x, ports.x);
  connections.accept(y, ports.y);
  const attempt = 0 as AttemptNumber;
  const registrations = ['a[0]', 'a[1]'].flatMap((task) =>
    ledger.beginRegistration(cluster.vertex(task), attempt, 'new'),
  );
  const answers: unknown[] = [];
  const ask = (executors: readonly ExecutorId[] = [x, y]): void =>
    connections.registerPartitions(
      registrations.map((registration, index) => ({ registration, executor: executors[index] as ExecutorId })),
      (failed) => answers.push(failed?.cause.message ?? 'all'),
    );
  const ids = registrations.map(({ id }) => id);
  return {
    ledger,
    clock,
    connections,
    ports,
    ask,
    answers,
    events: cluster.events,
    told,
    checkpointsReported,
    ids,
    x,
    y,
  };
}

const registered = (
  token: number,
  failed?: Extract<ExecutorToMasterMessage, { type: 'results.registered' }>['failed'],
) => ({ type: 'results.registered', token, failed }) as const;

describe('connections to executors', () => {
  it('T1: an executor offers slots when it reports that it is connected, and none once the run is over', () => {
    const { connections, events, ports } = connected();
    const offered = () => events.flatMap((event) => (event.type === 'executor.registered' ? [event.executor] : []));
    ports.x.say({ type: 'executor.connected', protocol: protocolVersion, incarnation: 0, slots: 1 });
    expect(offered()).toEqual(['x']);
    connections.stop(true, () => {});
    ports.y.say({ type: 'executor.connected', protocol: protocolVersion, incarnation: 0, slots: 1 });
    expect(offered()).toEqual(['x']);
  });

  it('EC1: a question to two of them is answered once, when both have answered', () => {
    const { ask, answers, ports } = connected();
    ask();
    ports.x.say(registered(ports.x.token));
    ports.x.say(registered(ports.x.token));
    expect(answers).toEqual([]);
    ports.y.say(registered(ports.y.token));
    ports.y.close('late');
    expect(answers).toEqual(['all']);
  });

  it('EC1: the loss of an executor is its answer; later messages are ignored', () => {
    const { ask, answers, ports } = connected();
    ask();
    const { token } = ports.y;
    ports.x.say(registered(ports.x.token));
    ports.y.close('switched off');
    ports.y.say(registered(token));
    expect(answers).toEqual(['Task executor y is lost: switched off']);
  });

  it('EC1: a question to a lost executor is answered later', () => {
    const { ask, answers, ports, clock, x } = connected();
    ports.x.close('switched off');
    ask([x, x]);
    expect(answers).toEqual([]);
    clock.advance(0);
    expect(answers).toEqual(['Task executor x is lost: it is not connected']);
  });

  it("EC1: an answer to another executor's question, or to none, is ignored", () => {
    const { ask, answers, ports, x } = connected();
    ask([x, x]);
    ports.y.say(registered(ports.x.token));
    ports.x.say(registered(99));
    expect(answers).toEqual([]);
  });

  it('results are registered with both or with neither', () => {
    const { ask, answers, ports, ids, ledger } = connected();
    ask();
    ports.x.say(registered(ports.x.token));
    const producer = ledger.graph.producerOf((ids[1] as ResultPartitionId).partition);
    ports.y.say(registered(ports.y.token, { producer, cause: toPlainError(new Error('disk full')) }));
    expect(answers).toEqual(['disk full']);
    expect(ports.x.posted.at(-1)).toEqual({ type: 'results.release', ids: [ids[0]], traced: [] });
  });

  it('EC2: messages about a result go to the executor of its last registration', () => {
    const { ask, connections, ports, ids, y } = connected();
    ask();
    ask([y, y]);
    ports.x.posted.length = 0;
    connections.forbidReclaim(ids);
    expect(ports.x.posted).toEqual([]);
    expect(ports.y.posted.at(-1)).toEqual({ type: 'results.forbidReclaim', ids });
  });

  it('EC1: the findings of several executors are reported together', () => {
    const { ask, connections, ports, ids } = connected();
    ask();
    const verified: VerifiedResults[] = [];
    connections.verifyResults(ids, (answer) => verified.push(answer));
    const found = ids.map((id, at) => ({ id, records: 5 + at, bytes: 50 }));
    ports.y.say({ type: 'results.verified', token: ports.y.token, lost: [], found: found.slice(1) });
    ports.x.say({ type: 'results.verified', token: ports.x.token, lost: [], found: found.slice(0, 1) });
    expect(verified).toEqual([{ lost: [], found: [...found].reverse() }]);
  });

  it('reports the records of an attempt when it ends, even if it is no longer current', () => {
    const { ports, told } = connected();
    const statistics = { recordsIn: 7, recordsOut: 3, isCurtailed: true };
    ports.x.say({ type: 'task.canceled', vertex: 1 as ExecutionVertexId, attempt: 4 as AttemptNumber, statistics });
    expect(told).toEqual([{ type: 'task.ended', atMs: 0, task: 'a[1]', vertex: 1, attempt: 4, ...statistics }]);
  });

  it('W5: a quarantined executor still answers; a lost one has lost its results', () => {
    const { ask, connections, ports, ids, x } = connected();
    ask([x, x]);
    connections.declareLost(x, 'a task on it does not end');
    const lost: number[] = [];
    const verify = (): void => connections.verifyResults(ids, (verified) => lost.push(verified.lost.length));
    verify();
    ports.x.say({ type: 'results.verified', token: ports.x.token, lost: [], found: [] });
    verify();
    ports.x.close('switched off');
    expect(lost).toEqual([0, ids.length]);
  });

  it('EC3, W3: a message about the result of another attempt has no effect', () => {
    const { ask, ports, ids, ledger, x } = connected();
    ask([x, x]);
    const region = ledger.regions.regionOf(ledger.graph.producerOf((ids[0] as ResultPartitionId).partition));
    ports.x.say({ type: 'result.traceless', id: { ...(ids[0] as ResultPartitionId), attempt: 1 as AttemptNumber } });
    expect(ledger.reproducibilityOf(region).kind).not.toBe('never');
    ports.x.say({ type: 'result.traceless', id: ids[0] as ResultPartitionId });
    expect(ledger.reproducibilityOf(region).kind).toBe('never');
  });

  /** What became of the executors. */
  const newsOf = (events: readonly JobEvent[]): string[] =>
    events.flatMap((event) =>
      event.type === 'executor.lost' ? [event.cause.message] : event.type === 'executor.registered' ? [event.type] : [],
    );
  const connect = { type: 'executor.connected', protocol: protocolVersion, incarnation: 0, slots: 1 } as const;

  it('EC3: a report about a checkpoint counts if it is of the current attempt', () => {
    const { ports, checkpointsReported } = connected();
    const report = (attempt: number): ExecutorToMasterMessage => ({
      ...{ type: 'checkpoint.declined', vertex: 1 as ExecutionVertexId, attempt: attempt as AttemptNumber },
      ...{ checkpoint: 3 as CheckpointId, reason: 'io', cause: toPlainError(new Error('disk full')) },
    });
    ports.x.say(report(1));
    expect(checkpointsReported).toEqual([]);
    ports.x.say(report(0));
    expect(checkpointsReported).toMatchObject([{ type: 'checkpoint.declined', vertex: 1, checkpoint: 3 }]);
  });

  it('EC2: what a checkpoint has passed is said to the executors of the results, but not to none', () => {
    const { ask, connections, ports, ids, x, y } = connected();
    ask([x, y]);
    const passed = ids.map((result) => ({ result, records: [5, 0] }));
    const outdated = { vertex: 0 as ExecutionVertexId, attempt: 7 as AttemptNumber };
    connections.checkpoints.completed(3 as CheckpointId, [outdated], { oldest: 2 as CheckpointId, passed });
    const said = { type: 'checkpoint.completed', checkpoint: 3, oldest: 2, tasks: [] };
    expect(ports.x.posted.at(-1)).toEqual({ ...said, passed: passed.slice(0, 1) });
    expect(ports.y.posted.at(-1)).toEqual({ ...said, passed: passed.slice(1) });
    const counts = [ports.x.posted.length, ports.y.posted.length];
    connections.checkpoints.aborted(3 as CheckpointId, [outdated]);
    expect([ports.x.posted.length, ports.y.posted.length]).toEqual(counts);
  });

  it('W6: an executor that speaks another version of the protocol is refused, with both versions', () => {
    const { events, ports } = connected();
    const refused = `Executor x speaks version 9 of the protocol, and its master version ${protocolVersion}`;
    ports.x.say({ ...connect, protocol: 9 });
    expect(ports.x.posted).toEqual([{ type: 'executor.quarantine', why: expect.stringContaining(refused) }]);
    expect(newsOf(events)).toEqual([expect.stringContaining(refused)]);
  });

  it('W6: one that started anew behind the same port is another executor', () => {
    const { events, ports } = connected();
    ports.x.say(connect);
    ports.x.say(connect);
    expect(newsOf(events)).toEqual(['executor.registered']);
    ports.x.say({ ...connect, incarnation: 1 });
    expect(newsOf(events)).toEqual(['executor.registered', 'Task executor x is lost: it started anew']);
  });

  it('W8: one that leaves is lost', () => {
    const { events, ports } = connected();
    ports.x.say(connect);
    ports.x.say({ type: 'executor.left', why: 'the master is lost' });
    expect(newsOf(events)).toEqual(['executor.registered', 'Task executor x is lost: it left: the master is lost']);
  });
});
