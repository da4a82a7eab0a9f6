import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { type ConsumptionConstraint, type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, RunId } from '../../src/ids.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import { MemorySpillStore, virtualEnvironment } from '../../src/testing/index.ts';
import { CannotRun, DiffersOnPurpose, equals, type Handler, type Judge, knowing, worst } from './conformance-case.ts';
import { textOf } from './given-graph.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';

/** Our exchanges that stand for Flink's types. Other types have no counterpart. */
export const counterparts: Readonly<Record<string, readonly ExchangeType[]>> = {
  BLOCKING: [exchangeTypes.blocking],
  BLOCKING_PERSISTENT: [exchangeTypes.blocking],
  PIPELINED_BOUNDED: [exchangeTypes.pipelined],
  HYBRID_FULL: [exchangeTypes.reliable, exchangeTypes.memory],
};

/** Our exchanges that come nearest to types without a counterpart, and the properties in which they differ. */
const nearest: Readonly<
  Record<string, { readonly exchanges: readonly ExchangeType[]; readonly but: readonly string[] }>
> = { HYBRID_SELECTIVE: { exchanges: [exchangeTypes.memory, exchangeTypes.reliable], but: ['reconsumable'] } };

const constraints: Readonly<Record<ConsumptionConstraint, string>> = {
  'with-producer': 'MUST_BE_PIPELINED',
  'after-producer-scheduled': 'CAN_BE_PIPELINED',
  'after-producer-finished': 'BLOCKING',
};

/** A producer that writes more than this without a reader is not stopped for that. */
const manyBatches = 1_000;

const unlimited = Number.POSITIVE_INFINITY;

/** The exchange table's entries for an exchange, and the behavior of the parts of the engine that use them. */
async function propertiesOf(exchange: ExchangeType, outlivesJob: boolean): Promise<Readonly<Record<string, unknown>>> {
  const jobGraph = createJobGraph(
    'case',
    [
      { id: 'producer', parallelism: 1 },
      { id: 'consumer', parallelism: 1 },
    ],
    [{ source: 'producer', target: 'consumer', exchange, pattern: 'pointwise' }],
  );
  const graph = new ExecutionGraph(jobGraph);
  const regions = pipelinedRegions(graph);
  const ledger = new JobLedger(graph, regions);
  const producer = 0 as ExecutionVertexId;
  const consumer = 1 as ExecutionVertexId;
  const [registration] = ledger.beginRegistration(producer, 0 as AttemptNumber, 'new');
  if (registration === undefined) throw new Error('the producer registers nothing');
  const { consumption } = exchange;
  const isPersistent = await outlives(jobGraph, registration.edge, outlivesJob);

  const { plane, settle } = dataPlaneOf(jobGraph, 'in memory');
  const partition = plane.createPartition(registration, {
    truncated: () => {},
    curtailed: () => {},
    reclaim: () => {},
    previous: undefined,
    trace: undefined,
  });
  let written = 0;
  while (partition.isWritable && written < manyBatches) {
    partition.write(0, elementOf([written++]));
    settle();
  }
  partition.release();

  return {
    reconsumable: exchange.reconsumable,
    bounded: written < manyBatches,
    persistent: isPersistent,
    consumingConstraint: constraints[consumption],
    mustBePipelinedConsumed: consumption === 'with-producer',
    canBePipelinedConsumed: consumption !== 'after-producer-finished',
    releasedBy: ledger.results.regionFinished(regions.regionOf(consumer)).length > 0 ? 'scheduler' : 'upstream',
    joinsRegions: regions.regionOf(producer) === regions.regionOf(consumer),
  };
}

/** Whether a result is there when its job has ended. */
async function outlives(jobGraph: JobGraph, edge: number, isKept: boolean): Promise<boolean> {
  const place = mkdtempSync(join(tmpdir(), 'conformance-'));
  const directory = join(place, 'kept');
  try {
    const { plane } = dataPlaneOf(jobGraph, undefined, isKept ? directory : undefined);
    const kept = await plane.keep(edge, []);
    await plane.dispose();
    return kept !== undefined && existsSync(directory);
  } finally {
    rmSync(place, { recursive: true });
  }
}

type JobGraph = ReturnType<typeof createJobGraph>;

/** Where results are stored, without options for their exchange but the directory in which they are kept. */
function dataPlaneOf(jobGraph: JobGraph, files?: 'in memory', directory?: string) {
  const environment = virtualEnvironment();
  const plane = new LocalDataPlane(
    {
      ...{ name: 'case', jobGraph, programs: jobGraph.vertices.map(() => ({ operators: [], outputs: [] }) as never) },
      exchanges: [directory === undefined ? {} : { keepResults: { directory } }],
    },
    {
      run: 'run' as RunId,
      environment,
      batchSize: 1,
      batchBytes: 1_024,
      memoryBudgetBytes: unlimited,
      memoryOverflow: 'drop',
      diskBudgetBytes: unlimited,
      diskOverflow: 'back-pressure',
      keepResults: 'until-consumers-finish',
      diskWaitTimeoutMs: 1_000,
      spillDirectory: undefined,
      cancellationTimeoutMs: 30_000,
      ...(files && { spillStore: new MemorySpillStore(environment.clock) }),
    },
  );
  return { plane, settle: () => environment.advance(0) };
}

const typeProperties: Handler = async ({ given }) => {
  const type = textOf(given['type']);
  const own = Object.hasOwn(counterparts, type) ? counterparts[type] : undefined;
  const near = Object.hasOwn(nearest, type) ? nearest[type] : undefined;
  const exchanges = own ?? near?.exchanges;
  if (exchanges === undefined) throw new CannotRun(`an exchange like ${type} is not known`);
  const rows = await Promise.all(exchanges.map((exchange) => propertiesOf(exchange, type === 'BLOCKING_PERSISTENT')));
  const everyRow =
    (property: string): Judge =>
    (expected) => {
      const verdict = worst(rows.map((row) => equals(row[property])(expected)));
      if (verdict.kind === 'failed' && near?.but.includes(property)) throw new DiffersOnPurpose(`${type}.${property}`);
      return verdict;
    };
  return Object.fromEntries(Object.keys(rows[0] ?? {}).map((property) => [property, everyRow(property)]));
};

/** Handlers of the kind `type-properties` of the area `partition-release`. */
export const exchangePropertyHandlers: Readonly<Record<string, Handler>> = {
  'type-properties': knowing({ given: ['type'], ops: { properties: [] } }, typeProperties),
};
