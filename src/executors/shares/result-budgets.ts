import type { ExchangeSettings } from '../../graph/exchange-settings.ts';
import { type JobEdge, type JobGraph, nameOfEdge } from '../../graph/job-graph.ts';
import { ByteBudget } from '../../partitions/byte-budget.ts';

/** The job whose results take room. */
export interface BudgetedPlan {
  readonly jobGraph: JobGraph;
  /** By index of the edge: the options of its exchange. */
  readonly exchanges: readonly Omit<ExchangeSettings, 'name'>[];
}

/** The limits of a run, in bytes. */
export interface RunBudgets {
  readonly memoryBudgetBytes: number;
  readonly diskBudgetBytes: number;
}

/** A budget to be created. */
export interface BudgetLimit {
  /** Tells it apart from the others of the run. */
  readonly name: string;
  readonly limitBytes: number;
  /** For messages. */
  readonly owner: string;
}

type Kind = 'memory' | 'disk';

/** The budgets of results: those of the run and, as parts of them, those of exchanges with a limit of their own. */
export class ResultBudgets {
  readonly #plan: BudgetedPlan;
  readonly #create: (limit: BudgetLimit, parent: ByteBudget | undefined) => ByteBudget;
  readonly #run: Readonly<Record<Kind, ByteBudget>>;
  readonly #byEdge = new Map<number, Readonly<Record<Kind, ByteBudget>>>();

  /** @param create default: budgets of this thread alone */
  constructor(
    plan: BudgetedPlan,
    budgets: RunBudgets,
    create: (limit: BudgetLimit, parent: ByteBudget | undefined) => ByteBudget = ({ limitBytes, owner }, parent) =>
      new ByteBudget(limitBytes, parent, owner),
  ) {
    this.#plan = plan;
    this.#create = create;
    const [memory, disk] = runLimits(budgets);
    this.#run = { memory: create(memory, undefined), disk: create(disk, undefined) };
  }

  /** Those of an edge: those of the run, if its exchange has none. */
  of(edge: number): Readonly<Record<Kind, ByteBudget>> {
    let budgets = this.#byEdge.get(edge);
    if (budgets === undefined) {
      const part = (kind: Kind): ByteBudget => {
        const limit = partLimit(this.#plan, edge, kind);
        return limit === undefined ? this.#run[kind] : this.#create(limit, this.#run[kind]);
      };
      budgets = { memory: part('memory'), disk: part('disk') };
      this.#byEdge.set(edge, budgets);
    }
    return budgets;
  }
}

/** All budgets of a run that have a limit. */
export function budgetLimits(plan: BudgetedPlan, budgets: RunBudgets): BudgetLimit[] {
  const parts = plan.exchanges.flatMap((_, edge) =>
    (['memory', 'disk'] as const).flatMap((kind) => partLimit(plan, edge, kind) ?? []),
  );
  return [...runLimits(budgets), ...parts].filter(({ limitBytes }) => limitBytes < Number.POSITIVE_INFINITY);
}

function runLimits({ memoryBudgetBytes, diskBudgetBytes }: RunBudgets): readonly [BudgetLimit, BudgetLimit] {
  const owner = 'the run';
  return [
    { name: 'memory', limitBytes: memoryBudgetBytes, owner },
    { name: 'disk', limitBytes: diskBudgetBytes, owner },
  ];
}

function partLimit({ jobGraph, exchanges }: BudgetedPlan, edge: number, kind: Kind): BudgetLimit | undefined {
  const { memoryBudgetBytes, diskBudgetBytes } = exchanges[edge] ?? {};
  const limitBytes = kind === 'memory' ? memoryBudgetBytes : diskBudgetBytes;
  if (limitBytes === undefined) return undefined;
  return { name: `${kind} of edge ${edge}`, limitBytes, owner: nameOfEdge(jobGraph.edges[edge] as JobEdge) };
}
