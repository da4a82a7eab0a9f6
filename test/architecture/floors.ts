/** What one part of `src/` may import of the others and of the two libraries. */
export interface Part {
  readonly floor: number | 'door';
  /** Other parts that it may import. */
  readonly imports: readonly string[];
  /** Parts of `imports` that it imports as types only. */
  readonly byTypeAlone?: readonly string[];
  readonly xstate: boolean;
  readonly rxjs: boolean;
  /** Pure rules and charts: nothing from Node. */
  readonly isPure: boolean;
}

const rules = ['failover', 'checkpoints', 'scheduling', 'journal'];
const streams = ['partitions', 'operators', 'connectors', 'rxjs'];
const below4 = ['kernel', 'graph', ...rules, ...streams];
const engine = [...below4, 'actors', 'machines', 'executors', 'run', 'api', 'metrics', 'inspector'];

const rule: Part = { floor: 2, imports: ['kernel', 'graph'], xstate: false, rxjs: false, isPure: true };
const stream: Part = { floor: 3, imports: below4, xstate: false, rxjs: true, isPure: false };
const top: Part = { floor: 8, imports: engine, xstate: true, rxjs: true, isPure: false };

/** The floors of the house. A part is a folder of `src/`; files beside the folders are listed one by one below. */
export const partByName: Readonly<Record<string, Part>> = {
  kernel: { floor: 0, imports: [], xstate: false, rxjs: false, isPure: true },
  graph: { floor: 1, imports: ['kernel'], xstate: false, rxjs: false, isPure: true },
  failover: rule,
  checkpoints: rule,
  scheduling: rule,
  journal: rule,
  partitions: stream,
  operators: stream,
  connectors: stream,
  rxjs: { ...stream, imports: ['kernel'] },
  actors: { floor: 4, imports: below4, xstate: true, rxjs: true, isPure: false },
  machines: {
    floor: 5,
    imports: ['kernel', 'graph', ...rules, 'actors'],
    byTypeAlone: ['actors'],
    xstate: true,
    rxjs: false,
    isPure: true,
  },
  executors: { ...top, floor: 6, imports: [...below4, 'actors', 'machines'] },
  run: { ...top, floor: 7, imports: [...below4, 'actors', 'machines', 'executors'] },
  api: top,
  inspector: top,
  metrics: { ...top, imports: [...below4, 'actors', 'machines', 'executors', 'run', 'api'], xstate: false },
  cli: { ...top, floor: 9 },
  index: top,
  testing: { floor: 'door', imports: [...engine, 'index'], xstate: true, rxjs: true, isPure: false },
};

/**
 * The rooms of a part, which are folders in it, and what each may import within the part: other rooms, and the files
 * beside the rooms (its ground floor, `.`).
 */
export const roomsByPart: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  operators: {
    '.': ['state', 'identity', 'rejected', 'answers'],
    state: ['state/tables'],
    'state/tables': [],
    'state/disk': ['state/tables'],
    identity: [],
    rejected: ['.'],
    fused: ['.', 'state', 'state/tables', 'rejected', 'fused/loops'],
    'fused/loops': ['.', 'state', 'state/tables', 'rejected'],
    calls: ['.', 'state', 'rejected', 'answers', 'answers/files'],
    answers: ['.', 'answers/files', 'calls', 'identity'],
    'answers/files': ['identity'],
    gate: ['.', 'state'],
    sinks: ['.', 'state'],
    task: ['.', 'state', 'rejected', 'answers', 'fused', 'fused/loops', 'calls', 'gate', 'sinks'],
  },
  journal: { '.': [], identity: [], run: ['.', 'identity'] },
  // The compiled form of a chart knows XState alone, nothing of ours.
  machines: {
    '.': ['checkpoint-coordinator', 'compiled', 'execution', 'failover', 'heartbeat', 'job-master', 'region'],
    'checkpoint-coordinator': ['.', 'execution', 'job-master'],
    compiled: [],
    connections: ['.', 'execution', 'heartbeat', 'job-master', 'task-executor'],
    execution: ['.', 'job-master'],
    failover: ['.', 'job-master', 'strategies'],
    heartbeat: ['.'],
    'job-master': ['.', 'execution', 'failover', 'region'],
    partition: ['.'],
    region: ['.', 'execution'],
    strategies: ['.'],
    'task-executor': ['.', 'execution'],
  },
  executors: {
    '.': ['shares'],
    shares: ['.'],
    'shares/desks': ['.', 'shares'],
    workers: ['.', 'shares', 'shares/desks'],
  },
  run: {
    '.': ['checkpoints', 'folds', 'identity', 'durable', 'executors', 'savepoints'],
    checkpoints: ['.', 'folds'],
    executors: ['.', 'durable', 'folds'],
    folds: ['checkpoints'],
    identity: ['.'],
    durable: ['.', 'checkpoints', 'folds', 'identity', 'savepoints'],
    savepoints: ['.', 'checkpoints', 'durable', 'folds'],
  },
  api: { '.': ['explain', 'planning', 'worker'], explain: ['.'], planning: ['.'], worker: ['.'] },
  cli: { '.': ['commands', 'progress'], commands: ['.', 'progress'], progress: ['.'] },
  partitions: {
    '.': ['records'],
    records: ['.'],
    claims: [],
    checkpoints: ['records', 'storage'],
    storage: ['.', 'records', 'claims'],
    divided: ['.', 'storage'],
    reproduced: ['.', 'records'],
    kept: ['.', 'records'],
    retained: ['.', 'records', 'storage', 'reproduced', 'kept'],
    remote: ['.', 'records', 'storage', 'retained'],
  },
};

/** Folders that belong to a part with another name. */
export const partByFolder: Readonly<Record<string, string>> = { errors: 'kernel' };

/** The part of each file in `src/` itself. */
export const partByRootFile: Readonly<Record<string, string>> = {
  'ids.ts': 'kernel',
  'foreign-value.ts': 'kernel',
  'secret-name.ts': 'kernel',
  'user-code.ts': 'kernel',
  'options.ts': 'kernel',
  'nearest-name.ts': 'kernel',
  'failure-place.ts': 'kernel',
  'plain-error.ts': 'kernel',
  'environment.ts': 'kernel',
  'deadline.ts': 'kernel',
  'waiting-time.ts': 'kernel',
  'time-slice.ts': 'kernel',
  'version.ts': 'kernel',
  'assert.ts': 'kernel',
  'index.ts': 'index',
};

/** Files that may use the machine's time, chance and timers. */
export const exemptFromEnvironment = ['environment.ts', 'testing/virtual-environment.ts'];

/** Globals that only an exempt file may use. `Date` stands for reading the clock: `Date.now()`, `new Date()`. */
export const environmentGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'performance',
  'crypto',
];

/** Properties that read the clock, draw a random number, or start a timer. */
export const environmentProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['AbortSignal', 'timeout'],
  ['process', 'hrtime'],
  ['process', 'nextTick'],
  ['process', 'uptime'],
] as const;

/** Node modules that do so. */
export const environmentModules = ['node:timers', 'node:timers/promises', 'node:perf_hooks'];
