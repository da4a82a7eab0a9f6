import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import type {
  ExecutorToMasterMessage,
  MasterPort,
  MasterToExecutorMessage,
} from '../../src/actors/protocol/messages.ts';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import type { ExecutionVertexId, ExecutorId, ResultPartitionId } from '../../src/ids.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { protocolVersion } from '../../src/version.ts';

/** A message of the master that asks for an answer. */
export type Question = Extract<MasterToExecutorMessage, { readonly token: number }>;

type WithoutToken<Message> = Message extends { readonly token: number } ? Omit<Message, 'token'> : never;

export type Answer = WithoutToken<ExecutorToMasterMessage>;

/** A question that waits for the test to answer it. */
export interface HeldQuestion<Held extends Question = Question> {
  readonly question: Held;
  /** Default: the usual answer. */
  readonly answer: (answer?: Answer) => void;
}

/** The executors of a job, each behind its port, played by a test: they do only what it says. */
export class HandExecutors {
  /** Tasks in the order of their deployment, as `map[2]`. */
  readonly deployed: string[] = [];
  readonly deployments: TaskDeployment[] = [];
  /** Cancel commands, as `map[2]`. */
  readonly canceled: string[] = [];
  readonly committed: string[] = [];
  /** Numbers of the heartbeats that the master requested. */
  readonly requests: number[] = [];
  /** Everything that the master said. */
  readonly commands: MasterToExecutorMessage[] = [];
  readonly released: ResultPartitionId[] = [];
  /** Everything that the master said, by executor. */
  readonly said: { readonly executor: ExecutorId; readonly message: MasterToExecutorMessage }[] = [];
  readonly lost: ResultPartitionId[] = [];
  readonly quarantined: { readonly executor: ExecutorId; readonly why: string }[] = [];
  /** Results that are missing when they are verified, by what their producers are called. */
  readonly missingResultsOf = new Set<string>();
  /** The producers of results that were verified. */
  readonly verified: string[] = [];
  readonly held: HeldQuestion[] = [];
  /** Answers a question otherwise than usual, or holds it for the test. */
  answering: (question: Question) => Answer | 'later' | undefined = () => undefined;
  readonly #graph: ExecutionGraph;
  readonly #settle: () => void;
  readonly #ports: MasterPort[] = [];
  readonly #portOf = new Map<ExecutionVertexId, MasterPort>();

  /** @param settle lets what was said arrive, after an answer of the test */
  constructor(graph: ExecutionGraph, settle: () => void) {
    this.#graph = graph;
    this.#settle = settle;
  }

  /** Another executor, at its end of the connection. */
  add(executor: ExecutorId, port: MasterPort, slots: number): void {
    this.#ports.push(port);
    port.onMessage((message) => this.#receive(executor, port, message));
    port.post({ type: 'executor.connected', protocol: protocolVersion, incarnation: this.#ports.length, slots });
  }

  /** Said by the executor that has the task, or had it last; by the first one if none had it. */
  report(report: Extract<ExecutorToMasterMessage, { readonly vertex: ExecutionVertexId }>): void {
    (this.#portOf.get(report.vertex) ?? this.#ports[0])?.post(report);
  }

  /** Said by an executor, by the order in which they were added. */
  say(message: ExecutorToMasterMessage, executor: number): void {
    this.#ports[executor]?.post(message);
  }

  #receive(executor: ExecutorId, port: MasterPort, message: MasterToExecutorMessage): void {
    this.commands.push(message);
    this.said.push({ executor, message });
    switch (message.type) {
      case 'task.deploy':
        this.#portOf.set(message.deployment.vertex, port);
        this.deployed.push(this.#graph.nameOf(message.deployment.vertex));
        this.deployments.push(message.deployment);
        return;
      case 'task.cancel':
        this.canceled.push(this.#graph.nameOf(message.vertex));
        return;
      case 'result.lose':
        this.lost.push(message.id);
        return;
      case 'results.release':
        this.released.push(...message.ids);
        return;
      case 'executor.quarantine':
        this.quarantined.push({ executor, why: message.why });
        return;
      case 'heartbeat.request':
        this.requests.push(message.number);
        return;
      case 'task.commit':
        this.committed.push(this.#graph.nameOf(message.vertex));
        return;
      case 'task.fail':
      case 'task.slow':
      case 'results.allowReclaim':
      case 'results.forbidReclaim':
      case 'results.placed':
      case 'checkpoint.trigger':
      case 'checkpoint.completed':
      case 'checkpoint.aborted':
        return;
      default:
        this.#answer(port, message);
    }
  }

  #answer(port: MasterPort, question: Question): void {
    if (question.type === 'results.verify') this.verified.push(...question.ids.map((id) => this.#producerOf(id)));
    const say = (answer: Answer): void => port.post({ ...answer, token: question.token } as ExecutorToMasterMessage);
    const answer = this.answering(question) ?? this.#usualAnswer(question);
    if (answer !== 'later') return say(answer);
    this.held.push({
      question,
      answer: (late = this.#usualAnswer(question)) => {
        say(late);
        this.#settle();
      },
    });
  }

  #usualAnswer(question: Question): Answer {
    switch (question.type) {
      case 'results.register':
        return { type: 'results.registered', failed: undefined };
      case 'results.promote':
        return { type: 'results.promoted', edges: [] };
      case 'executor.release':
      case 'executor.stop':
        return { type: 'executor.stopped' };
      case 'results.verify': {
        const cause = toPlainError(new Error('the file is gone'));
        const isMissing = (id: ResultPartitionId): boolean =>
          id.attempt === 0 && this.missingResultsOf.has(this.#producerOf(id));
        return {
          type: 'results.verified',
          lost: question.ids.filter(isMissing).map((id) => ({ id, cause })),
          found: question.ids.filter((id) => !isMissing(id)).map((id) => ({ id, records: 10, bytes: 100 })),
        };
      }
    }
  }

  #producerOf({ partition }: ResultPartitionId): string {
    return this.#graph.nameOf(this.#graph.producerOf(partition));
  }
}
