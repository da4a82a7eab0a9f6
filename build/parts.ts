/** The doors of the package: their place in `dist`, and their source. */
export const doors: Readonly<Record<string, string>> = {
  index: 'src/index.ts',
  'inspector/index': 'src/inspector/index.ts',
  'metrics/index': 'src/metrics/index.ts',
  'testing/index': 'src/testing/index.ts',
  'cli/bin': 'src/cli/bin.ts',
};

/** The folders and modules that are loaded with their first use, by the part that is loaded then. */
const places: Readonly<Record<string, readonly string[]>> = {
  calls: ['operators/answers', 'operators/calls', 'operators/identity'],
  connectors: ['connectors'],
  durable: ['api/explain', 'journal', 'run/durable', 'run/identity', 'run/savepoints'],
  inspection: ['inspector/recorder', 'inspector/recording', 'inspector/tap'],
  results: ['operators/gate', 'operators/task/record-writer', 'partitions'],
  state: [
    'checkpoints',
    'machines/checkpoint-coordinator/checkpoint-content',
    'machines/checkpoint-coordinator/component-checkpoints',
    'machines/checkpoint-coordinator/component-tasks',
    'machines/checkpoint-coordinator/job-checkpoints',
    'operators/fused/keyed-state',
    'operators/state',
    'operators/task/checkpoint-step',
    'run/checkpoints/checkpoint-history',
    'run/checkpoints/run-storage',
  ],
  streams: ['connectors/streams'],
  workers: [
    'executors/master-watch',
    'executors/shares',
    'executors/workers',
    'machines/connections/executor-watch',
    'partitions/remote',
  ],
};

/**
 * Modules in these places that are loaded at once: the first record of a job needs them, or a door exports their values.
 * A test says what is missing here.
 */
const atOnce: readonly string[] = [
  'connectors/byte-range',
  'connectors/collect',
  'connectors/for-each',
  'connectors/from-array',
  'connectors/from-iterable',
  'connectors/index-ranges',
  'connectors/outputs/part-writer',
  'connectors/record-position',
  'executors/shares/result-budgets',
  'executors/shares/service-shapes',
  'executors/shares/shared-services',
  'executors/workers/pulse',
  'executors/workers/worker-mark',
  'inspector/recorder/flight-recorder',
  'operators/answers/answer-errors',
  'operators/answers/run-answers',
  'operators/calls/call-errors',
  'operators/calls/call-limiters',
  'operators/identity/step-declaration',
  'operators/state/declared-states',
  'operators/state/state-reader',
  'operators/state/subtask-states',
  'partitions/byte-budget',
  'partitions/checkpoints/checkpoint-storages',
  'partitions/checkpoints/s3-checkpoints',
  'partitions/claims/output-claims',
  'partitions/claims/process-table',
  'partitions/claims/run-directory',
  'partitions/loop-ends',
  'partitions/records/batch-cutter',
  'partitions/records/blank-list',
  'partitions/records/freeze-records',
  'partitions/records/key-hash',
  'partitions/records/record-size',
  'partitions/result-partition',
  'partitions/storage/file-pool',
  'partitions/storage/file-spill-store',
  'partitions/storage/spill-store',
  'partitions/stream-element',
  'run/savepoints/open-savepoint',
  'run/savepoints/savepoint-directory',
  'run/savepoints/savepoint-option',
  'run/savepoints/savepoints',
  'run/savepoints/stopped-output',
];

const parts = Object.entries(places).flatMap(([part, own]) => own.map((place) => ({ part, place: `src/${place}` })));
const isAtOnce = new Set(atOnce.map((module) => `src/${module}.ts`));

/** The part of a module of the source; undefined if it is in none of these places, or loaded at once. */
export function listedPartOf(path: string): string | undefined {
  if (isAtOnce.has(path)) return undefined;
  const [found] = parts
    .filter(({ place }) => path === `${place}.ts` || path.startsWith(`${place}/`))
    .sort((one, other) => other.place.length - one.place.length);
  return found?.part;
}
