import type { Environment } from '../../environment.ts';
import type { JobGraph } from '../../graph/job-graph.ts';
import { RunAnswers, type RunAnswersOptions, type RunMemories } from '../../operators/answers/run-answers.ts';
import type { CallLimiterRegistry } from '../../operators/call-limiter.ts';
import { CallLimiters } from '../../operators/calls/call-limiters.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import { type ErrorTallies, LocalErrorTallies } from '../../operators/rejected/error-tallies.ts';
import type { RunOutputs } from '../../operators/runtime-context.ts';
import type { PlansElsewhere } from '../../operators/task/source-plans.ts';
import { OutputClaims } from '../../partitions/claims/output-claims.ts';
import { operatorsOf } from '../program-registry.ts';
import { type BudgetedPlan, ResultBudgets, type RunBudgets } from './result-budgets.ts';

/** What the executors of a run have in common: what is promised per run, they keep together. */
export interface SharedServices {
  readonly callLimiters: CallLimiterRegistry;
  readonly errorTallies: ErrorTallies;
  readonly budgets: ResultBudgets;
  readonly answers: RunMemories;
  readonly outputs: RunOutputs;
  /** By index of the vertex: its program as it runs here, from where sinks on another thread are reached. */
  readonly programs: readonly VertexProgram[];
  /** Where plans of sources are made together; undefined if no other thread makes any. */
  readonly plans: PlansElsewhere | undefined;
  /** The executor runs no more tasks. Settles when everything is safe. */
  close(): Promise<void>;
}

/** The job that the executors run. */
export interface SharedPlan extends BudgetedPlan {
  readonly name: string;
  readonly jobGraph: JobGraph;
  readonly programs: readonly VertexProgram[];
}

export interface SharedServicesOptions extends RunBudgets, Omit<RunAnswersOptions, 'operators' | 'run'> {
  readonly run: ConstructorParameters<typeof OutputClaims>[0];
  readonly environment: Environment;
  /** Those of the run; undefined without. */
  readonly checkpoints?: object | undefined;
  /** Default: new ones, which have counted nothing. */
  readonly errorTallies?: LocalErrorTallies | undefined;
}

/** The services of a run whose executors share a thread. */
export class LocalServices implements SharedServices {
  readonly callLimiters: CallLimiters;
  readonly errorTallies: LocalErrorTallies;
  readonly budgets: ResultBudgets;
  readonly answers: RunMemories;
  readonly outputs: OutputClaims;
  readonly programs: readonly VertexProgram[];
  readonly plans = undefined;
  readonly #keepsPending: boolean;

  constructor(plan: SharedPlan, options: SharedServicesOptions) {
    const { jobGraph, programs } = plan;
    this.errorTallies = options.errorTallies ?? new LocalErrorTallies();
    this.callLimiters = new CallLimiters(options.environment);
    this.budgets = new ResultBudgets(plan, options);
    this.answers = new RunAnswers({ ...options, operators: operatorsOf(jobGraph, programs) });
    this.outputs = new OutputClaims(options.run, plan.name);
    this.programs = programs;
    // A later run with the directory may continue from a checkpoint that names them.
    this.#keepsPending = options.stateDirectory !== undefined && options.checkpoints !== undefined;
  }

  async close(): Promise<void> {
    this.outputs.release({ keepsPending: this.#keepsPending });
    await this.answers.close();
  }
}
