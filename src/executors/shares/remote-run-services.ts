import type { Logger } from '../../environment.ts';
import { show } from '../../foreign-value.ts';
import { RunAnswers, type RunMemories } from '../../operators/answers/run-answers.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import type { RunOutputs } from '../../operators/runtime-context.ts';
import { ByteBudget } from '../../partitions/byte-budget.ts';
import { OutputClaims } from '../../partitions/claims/output-claims.ts';
import { operatorsOf } from '../program-registry.ts';
import { RemoteAnswerStores } from './remote-answers.ts';
import { RemoteByteBudget } from './remote-byte-budget.ts';
import { RemoteCallLimiters } from './remote-call-limiters.ts';
import { RemoteErrorTallies } from './remote-error-tallies.ts';
import { RemoteSinks } from './remote-sinks.ts';
import { ResultBudgets } from './result-budgets.ts';
import { RemotePlans } from './remote-plans.ts';
import type { ExecutorServicesPort, LogRequest, ServiceReply, ServiceRequest } from './service-messages.ts';
import { replyCheck } from './service-shapes.ts';
import type { SharedPlan, SharedServices, SharedServicesOptions } from './shared-services.ts';
import { TurnPost } from '../../actors/turn-post.ts';

/** The services of a run in an executor on another thread. */
export class RemoteRunServices implements SharedServices {
  readonly callLimiters: RemoteCallLimiters;
  readonly errorTallies: RemoteErrorTallies;
  readonly budgets: ResultBudgets;
  readonly answers: RunMemories;
  readonly outputs: RunOutputs;
  readonly programs: readonly VertexProgram[];
  readonly plans: RemotePlans;
  /** Logs in the thread of the run. */
  readonly logger: Logger;
  readonly #answers: RemoteAnswerStores;
  readonly #sinks: RemoteSinks;
  readonly #budgetByName = new Map<string, RemoteByteBudget>();

  /**
   * @param plan that of the run
   * @param options those of the run
   * @param port the other end of which the `RunServices` of the run has
   */
  constructor(plan: SharedPlan, options: SharedServicesOptions, port: ExecutorServicesPort) {
    const { clock } = options.environment;
    const { post } = new TurnPost<ServiceRequest>(port, clock);
    const { jobGraph, programs } = plan;
    this.callLimiters = new RemoteCallLimiters({ clock, post });
    this.errorTallies = new RemoteErrorTallies(post);
    this.budgets = new ResultBudgets(plan, options, ({ name, limitBytes, owner }, parent) => {
      if (limitBytes === Number.POSITIVE_INFINITY) return new ByteBudget(limitBytes, parent, owner);
      const budget = new RemoteByteBudget({ name, limitBytes, owner, parent, post });
      this.#budgetByName.set(name, budget);
      return budget;
    });
    // Their first shares are on their way.
    for (const edge of plan.exchanges.keys()) this.budgets.of(edge);
    this.#answers = new RemoteAnswerStores(post);
    this.answers = new RunAnswers({ ...options, operators: operatorsOf(jobGraph, programs) }, this.#answers.open);
    this.plans = new RemotePlans(post);
    this.#sinks = new RemoteSinks(post);
    this.programs = this.#sinks.programs(jobGraph, programs);
    this.outputs = outputsOf(new OutputClaims(options.run, plan.name), post);
    this.logger = loggerOf(post);
    port.onMessage((messages) => {
      for (const message of messages) this.#receive(message);
    });
  }

  async close(): Promise<void> {
    await this.answers.close();
  }

  #receive(message: ServiceReply): void {
    const problem = replyCheck(message);
    if (problem !== undefined) return this.logger.error(`A message of the run is not valid: ${problem}`);
    switch (message.service) {
      case 'calls':
        return this.callLimiters.receive(message);
      case 'errors':
        return this.errorTallies.receive(message);
      case 'bytes':
        return this.#budgetByName.get(message.budget)?.receive(message);
      case 'answers':
        return this.#answers.receive(message);
      case 'sinks':
        return this.#sinks.receive(message);
      case 'plans':
        return this.plans.receive(message);
    }
  }
}

/** Claims are in the file system, where all threads see them; the run releases them. */
function outputsOf(claims: OutputClaims, post: (message: ServiceRequest) => void): RunOutputs {
  return {
    claim: (path, vertex) => {
      const directory = claims.claim(path, vertex);
      post({ service: 'outputs', type: 'claimed', path, vertex });
      return directory;
    },
  };
}

function loggerOf(post: (message: LogRequest) => void): Logger {
  const at =
    (type: LogRequest['type']): Logger['info'] =>
    (message, data) =>
      post({ service: 'log', type, message, data: data && plain(data) });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Data that can be sent; what cannot is shown as text. */
function plain(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      try {
        return [name, structuredClone(value)];
      } catch {
        return [name, show(value)];
      }
    }),
  );
}
