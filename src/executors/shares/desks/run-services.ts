import { propertyOf } from '../../../foreign-value.ts';
import type { ExecutorId } from '../../../ids.ts';
import { answerFiles, byDirectory, rememberingOf } from '../../../operators/answers/run-answers.ts';
import { operatorsOf } from '../../program-registry.ts';
import { AnswerDesk } from './answer-desk.ts';
import { ByteShares } from './byte-shares.ts';
import { CallDesk } from './call-desk.ts';
import { ErrorDesk } from './error-desk.ts';
import { budgetLimits } from '../result-budgets.ts';
import { PlanDesk } from './plan-desk.ts';
import type { LogRequest, RunServicesPort, ServiceReply, ServiceRequest } from '../service-messages.ts';
import { requestCheck } from '../service-shapes.ts';
import { LocalServices, type SharedPlan, type SharedServices, type SharedServicesOptions } from '../shared-services.ts';
import { SinkDesk } from './sink-desk.ts';
import { TurnPost } from '../../../actors/turn-post.ts';

/** A message of an executor that is not valid, and has no effect. */
export interface InvalidRequest {
  /** What it claims to be, as far as it does. */
  readonly message: string;
  readonly problem: string;
}

export interface RunServicesListener {
  readonly invalid: (executor: ExecutorId, found: InvalidRequest) => void;
}

/**
 * What is promised per run, kept for executors on other threads: limits on calls and errors, budgets, remembered answers,
 * and the sinks that live in the process of the user. The other end of each port is a `RemoteRunServices`.
 */
export class RunServices {
  /** For executors on this thread. */
  readonly local: SharedServices;
  readonly #options: SharedServicesOptions;
  readonly #listener: RunServicesListener;
  readonly #outputs: LocalServices['outputs'];
  readonly #calls: CallDesk;
  readonly #errors: ErrorDesk;
  readonly #answers: AnswerDesk;
  readonly #sinks: SinkDesk;
  readonly #plans: PlanDesk;
  readonly #sharesByBudget: ReadonlyMap<string, ByteShares>;
  readonly #lines = new Map<ExecutorId, { readonly port: RunServicesPort; readonly turn: TurnPost<ServiceReply> }>();

  constructor(plan: SharedPlan, options: SharedServicesOptions, listener: RunServicesListener) {
    const local = new LocalServices(plan, options);
    const { callLimiters, errorTallies, outputs } = local;
    const { environment, run } = options;
    this.local = local;
    this.#options = options;
    this.#listener = listener;
    this.#outputs = outputs;
    this.#calls = new CallDesk(callLimiters, environment.clock, this.#post);
    this.#errors = new ErrorDesk(errorTallies, this.#post);
    this.#answers = new AnswerDesk(openOf(plan, options), this.#post);
    this.#sinks = new SinkDesk(plan, { run, environment, outputs }, this.#post);
    this.#plans = new PlanDesk(this.#post);
    this.#sharesByBudget = new Map(
      budgetLimits(plan, options).map(({ name, limitBytes }) => [name, new ByteShares(name, limitBytes, this.#post)]),
    );
  }

  /** Serves an executor, before its first task. */
  accept(executor: ExecutorId, port: RunServicesPort): void {
    this.#lines.set(executor, { port, turn: new TurnPost<ServiceReply>(port, this.#options.environment.clock) });
    for (const desk of this.#desks()) desk.accept(executor);
    port.onMessage((messages) => this.#receive(executor, messages));
  }

  /** An executor is no more: it gives back what it held. What it still says is ignored. */
  lost(executor: ExecutorId): void {
    if (!this.#lines.delete(executor)) return;
    for (const desk of this.#desks()) desk.lost(executor);
  }

  /** The run is over, and its executors have stopped. Settles when everything is safe. */
  async close(): Promise<void> {
    for (const executor of [...this.#lines.keys()]) this.lost(executor);
    await Promise.all([this.local.close(), this.#answers.close()]);
  }

  *#desks() {
    yield this.#calls;
    yield this.#errors;
    yield this.#answers;
    yield this.#sinks;
    yield this.#plans;
    yield* this.#sharesByBudget.values();
  }

  /** Nothing is said to one that is lost. */
  readonly #post = (executor: ExecutorId, message: ServiceReply): void => {
    this.#lines.get(executor)?.turn.post(message);
  };

  #receive(executor: ExecutorId, messages: unknown): void {
    for (const message of Array.isArray(messages) ? (messages as readonly unknown[]) : [messages]) {
      if (!this.#lines.has(executor)) return;
      const problem = requestCheck(message);
      if (problem === undefined) this.#serve(executor, message as ServiceRequest);
      else this.#listener.invalid(executor, { message: nameOf(message), problem });
    }
  }

  #serve(executor: ExecutorId, message: ServiceRequest): void {
    switch (message.service) {
      case 'calls':
        return this.#calls.receive(executor, message);
      case 'errors':
        return this.#errors.receive(executor, message);
      case 'bytes':
        return this.#sharesByBudget.get(message.budget)?.receive(executor, message);
      case 'answers':
        return this.#answers.receive(executor, message);
      case 'sinks':
        return this.#sinks.receive(executor, message);
      case 'plans':
        return this.#plans.receive(executor, message);
      case 'outputs':
        return this.#adopt(message.path, message.vertex);
      case 'log':
        return this.#log(message);
    }
  }

  /** A claim that an executor has taken ends with the run. */
  #adopt(path: string, vertex: string): void {
    try {
      this.#outputs.claim(path, vertex);
    } catch {
      // It is gone, or belongs to another run by now.
    }
  }

  #log({ type, message, data }: LogRequest): void {
    this.#options.environment.logger[type](message, data);
  }
}

/** Opens the directories in which operators of the job remember answers, and no others. */
function openOf(plan: SharedPlan, options: SharedServicesOptions): ConstructorParameters<typeof AnswerDesk>[0] {
  const operators = operatorsOf(plan.jobGraph, plan.programs);
  const remembering = byDirectory(operators.flatMap((operator) => rememberingOf(operator, options.stateDirectory)));
  const open = answerFiles(options);
  return (directory) => {
    const sharing = remembering.get(directory);
    if (sharing !== undefined) return open(directory, sharing);
    return Promise.reject(new Error(`No operator of job "${plan.name}" remembers its answers in ${directory}`));
  };
}

function nameOf(message: unknown): string {
  const [service, type] = [propertyOf(message, 'service'), propertyOf(message, 'type')];
  return typeof service === 'string' && typeof type === 'string' ? `${service}.${type}`.slice(0, 80) : 'of no type';
}
