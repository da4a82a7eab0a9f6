import { runInNewContext } from 'node:vm';
import { causeChain, causeWithCode } from '../../src/errors/cause-chain.ts';
import { toError } from '../../src/errors/thrown-value.ts';
import type { AttemptNumber, ExecutorId, PartitionId, RegionId } from '../../src/ids.ts';
import * as errors from '../../src/index.ts';
import { fromPlainError, toPlainError } from '../../src/plain-error.ts';
import { errorWithout, revokedProxy, trappingProxy } from '../support/rude-values.ts';

const { KintsugiError } = errors;
const lost = { partition: 3 as PartitionId, attempt: 1 as AttemptNumber };
const file = 'data.csv';

interface Row {
  readonly make: () => errors.KintsugiError;
  readonly code: string;
  readonly recovery: errors.Recovery;
  readonly message: string;
}

const table: Readonly<Record<string, Row>> = {
  InvalidArgumentError: {
    make: () => new errors.InvalidArgumentError('slots', 0, 'an integer ≥ 1'),
    code: 'INVALID_ARGUMENT',
    recovery: 'never',
    message: 'slots: expected an integer ≥ 1, got 0',
  },
  KafkaRecordsGoneError: {
    make: () => new errors.KafkaRecordsGoneError('orders', 3, 17, { start: 40, end: 100 }),
    code: 'KAFKA_RECORDS_GONE',
    recovery: 'never',
    message:
      'Kafka topic orders, partition 3: offset 17 is not there, only 40 to 99. Raise the retention of the topic (`retention.ms`, `retention.bytes`), and begin the job anew',
  },
  CheckpointUnreadableError: {
    make: () => new errors.CheckpointUnreadableError('a/7-map.state', 'it is missing'),
    code: 'CHECKPOINT_UNREADABLE',
    recovery: 'restart',
    message:
      'Checkpoint file a/7-map.state cannot be used: it is missing. The checkpoint before it is used if one is retained: keep more with `retained`',
  },
  SavepointFailedError: {
    make: () => new errors.SavepointFailedError('/s/1', 'expired', 'it took too long'),
    code: 'SAVEPOINT_FAILED',
    recovery: 'restart',
    message:
      'No savepoint was taken in /s/1: it took too long. The run goes on; ask again with a directory that is empty',
  },
  SavepointUnreadableError: {
    make: () => new errors.SavepointUnreadableError('/s/1', 'it has no manifest'),
    code: 'SAVEPOINT_UNREADABLE',
    recovery: 'never',
    message:
      'No savepoint can be read in /s/1: it has no manifest. Name the directory that `run.savepoint` resolved with, whole as it was then',
  },
  SavepointMismatchError: {
    make: () =>
      new errors.SavepointMismatchError('/s/1', 'sum', 'it was reduce, and is process', 'Give it another uid'),
    code: 'SAVEPOINT_MISMATCH',
    recovery: 'never',
    message: '"sum" cannot continue from the savepoint in /s/1: it was reduce, and is process. Give it another uid',
  },
  SavepointConflictError: {
    make: () => new errors.SavepointConflictError('/s/1', '/state', 'b2'),
    code: 'SAVEPOINT_CONFLICT',
    recovery: 'never',
    message:
      "The run should begin with the savepoint in /s/1, but the state directory /state holds run b2, which it would continue. Leave out `fromSavepoint` to continue that, or name another state directory, or say `resume: 'never'` to give it up",
  },
  CheckpointFormatError: {
    make: () => new errors.CheckpointFormatError('a/7.manifest', 9, 1),
    code: 'CHECKPOINT_FORMAT',
    recovery: 'never',
    message:
      'Checkpoint file a/7.manifest has format 9, and this version of Kintsugi reads format 1. Run the version that wrote it, or name another place for checkpoints',
  },
  CheckpointStorageError: {
    make: () => new errors.CheckpointStorageError('a/7.manifest', 'write', new Error('ENOSPC')),
    code: 'CHECKPOINT_STORAGE',
    recovery: 'restart',
    message: 'Cannot write checkpoint files at a/7.manifest: ENOSPC. Free space on its disk',
  },
  CheckpointConflictError: {
    make: () => new errors.CheckpointConflictError('a/7.manifest'),
    code: 'CHECKPOINT_CONFLICT',
    recovery: 'never',
    message:
      'Checkpoint file a/7.manifest exists already: another run writes its checkpoints to the same place. Stop one of them, or name another place',
  },
  JobValidationError: {
    make: () => new errors.JobValidationError(['map'], '"map" reads nothing', 'Connect it'),
    code: 'JOB_INVALID',
    recovery: 'never',
    message: '"map" reads nothing. Connect it',
  },
  CheckpointsFailedError: {
    make: () =>
      new errors.CheckpointsFailedError('orders[0]', 'io', 2, { cause: new Error('a/7.manifest: disk full') }),
    code: 'CHECKPOINTS_FAILED',
    recovery: 'restart',
    message:
      'More than 2 checkpoints of the tasks behind orders[0] failed in a row, the last one because of "io": a/7.manifest: disk full. Look at the events `checkpoint.failed`; raise `checkpoints.tolerableFailures` to bear more',
  },
  DrainFailedError: {
    make: () => new errors.DrainFailedError('orders[0]', 'expired'),
    code: 'DRAIN_FAILED',
    recovery: 'restart',
    message:
      'The savepoint that was to drain the tasks behind orders[0] failed because of "expired". They restart from the checkpoint before it, because some may have handed on their final results. Ask for it again once they run',
  },
  NoCheckpointLeftError: {
    make: () =>
      new errors.NoCheckpointLeftError('orders[0]', {
        cause: new Error('task', { cause: new errors.CheckpointUnreadableError('a/7.state', 'it is missing') }),
      }),
    code: 'NO_CHECKPOINT_LEFT',
    recovery: 'never',
    message:
      'No checkpoint of the tasks behind orders[0] can be read any more (a/7.state: it is missing). Run with `rerun: true` to begin anew, which repeats output that cannot be replaced. Another time keep more of them with `checkpoints.retained`, and look after their storage',
  },
  PreparedOutputLostError: {
    make: () => new errors.PreparedOutputLostError('out/rows.jsonl', 'out/.rows.jsonl.pending/1', 7),
    code: 'PREPARED_OUTPUT_LOST',
    recovery: 'restart',
    message:
      'out/rows.jsonl: 7 records that were prepared for it are gone. Their file was deleted before it was committed, or what was committed was taken away or replaced. A restart from an earlier checkpoint writes them again; after any other, put out/.rows.jsonl.pending/1 back',
  },
  InputChangedError: {
    make: () => new errors.InputChangedError(file, 'shorter', 'it has 3 bytes, and had 9'),
    code: 'INPUT_CHANGED',
    recovery: 'never',
    message:
      'data.csv: changed since the run began: it has 3 bytes, and had 9. Run the job again, and do not change its input during the run; appending whole lines is allowed',
  },
  NoInputError: {
    make: () => new errors.NoInputError('in/*.csv', 'no file is called so'),
    code: 'NO_INPUT',
    recovery: 'never',
    message: 'in/*.csv: no file is called so',
  },
  PartFilesError: {
    make: () => new errors.PartFilesError('out/rows.jsonl', [3, 4], 'there are parts of 3 and of 4'),
    code: 'PART_FILES_INCONSISTENT',
    recovery: 'never',
    message: 'out/rows.jsonl: there are parts of 3 and of 4',
  },
  CallCostError: {
    make: () => new errors.CallCostError('rate', 200, 100, 1_000),
    code: 'CALL_COST',
    recovery: 'never',
    message:
      'A call of "rate" costs 200 tokens, but rateLimit allows 100 per 1000 ms: it would wait forever. Raise `tokens`, or split the record before the call',
  },
  RetryAfterError: {
    make: () => new errors.RetryAfterError('rate', 'retry-after: 172800', 172_800_000, 86_400_000, new Error('later')),
    code: 'RETRY_AFTER',
    recovery: 'never',
    message:
      'A call of "rate" was refused for 172800000 ms ("retry-after: 172800"), but maxRetryAfterMs is 86400000 ms. Run the job again later, or raise `maxRetryAfterMs` to wait that long',
  },
  IllegalStateError: {
    make: () => new errors.IllegalStateError('no'),
    code: 'ILLEGAL_STATE',
    recovery: 'never',
    message: 'no',
  },
  JobModuleError: {
    make: () => new errors.JobModuleError('job.ts', 'has no default export', 'Write: export default defineJob(…)'),
    code: 'JOB_MODULE',
    recovery: 'never',
    message: 'job.ts has no default export. Write: export default defineJob(…)',
  },
  RecordingFormatError: {
    make: () => new errors.RecordingFormatError('run.jsonl', 'its first line is no recording'),
    code: 'RECORDING_FORMAT',
    recovery: 'never',
    message: 'run.jsonl: its first line is no recording',
  },
  RecordingLimitError: {
    make: () => new errors.RecordingLimitError('run.jsonl', 1_000, 5_000),
    code: 'RECORDING_LIMIT',
    recovery: 'never',
    message:
      'run.jsonl: the recording ends here, because a picture of the run takes too much of maxBytes (1000). Give record a maxBytes of 5000 or more',
  },
  RestartRequestedError: {
    make: () => new errors.RestartRequestedError('map[2]'),
    code: 'RESTART_REQUESTED',
    recovery: 'restart',
    message: 'A restart of map[2] was requested',
  },
  UnrecoverableError: {
    make: () => new errors.UnrecoverableError('no'),
    code: 'UNRECOVERABLE',
    recovery: 'never',
    message: 'no',
  },
  PartitionLostError: {
    make: () => new errors.PartitionLostError(lost, 'bad checksum', { location: { file, offset: 12 } }),
    code: 'PARTITION_LOST',
    recovery: 'restart-producer',
    message: 'Result partition 3#1 is lost: bad checksum (data.csv at byte 12)',
  },
  DeterminismBrokenError: {
    make: () => new errors.DeterminismBrokenError(lost, 4, 96, 'other records'),
    code: 'DETERMINISM_BROKEN',
    recovery: 'restart-consumers',
    message:
      'Attempt 1 did not reproduce the earlier output: other records (from record 96 of subpartition 4 of result partition 3). Set `deterministic: false` on the operator or source that depends on more than what it reads',
  },
  DiskBudgetExceededError: {
    make: () => new errors.DiskBudgetExceededError('the run', 100, 90, 'nothing can be released', 'never'),
    code: 'DISK_BUDGET_EXCEEDED',
    recovery: 'never',
    message:
      'Results of the run hold 90 of 100 bytes of disk: nothing can be released. Raise `diskBudgetBytes`, or release results earlier with `keepResults`',
  },
  KeptResultError: {
    make: () => new errors.KeptResultError('/kept', { file, offset: 12 }, 'bad checksum'),
    code: 'KEPT_RESULT_UNREADABLE',
    recovery: 'never',
    message:
      'The result kept in /kept cannot be read: bad checksum (data.csv at byte 12). Run the job that writes it again',
  },
  OutputInUseError: {
    make: () => new errors.OutputInUseError(file, '.data.csv.kintsugi', 'another run writes it', 'Wait for it'),
    code: 'OUTPUT_IN_USE',
    recovery: 'never',
    message: 'data.csv: another run writes it. Wait for it',
  },
  SpillError: {
    make: () => new errors.SpillError('/spill', 'disk full'),
    code: 'SPILL_FAILED',
    recovery: 'restart',
    message: 'Cannot spill intermediate results to /spill: disk full. Free space on its disk, or set `spillDirectory`',
  },
  RecordNotSerializableError: {
    make: () => new errors.RecordNotSerializableError('$.a', 'a function'),
    code: 'RECORD_NOT_SERIALIZABLE',
    recovery: 'never',
    message:
      "A record cannot be spilled: $.a is a function. Map to plain data before the exchange, or make it pipelined, or memory with memoryOverflow: 'drop'",
  },
  MalformedInputError: {
    make: () => new errors.MalformedInputError({ file, line: 7, column: 2 }, 'a quote is missing'),
    code: 'MALFORMED_INPUT',
    recovery: 'never',
    message: 'data.csv:7:2: a quote is missing',
  },
  FileAccessError: {
    make: () => new errors.FileAccessError(file, 'not found'),
    code: 'FILE_ACCESS',
    recovery: 'restart',
    message: 'data.csv: not found',
  },
  SourceNotReplayableError: {
    make: () => new errors.SourceNotReplayableError('stdin', 'Pass a function'),
    code: 'SOURCE_NOT_REPLAYABLE',
    recovery: 'never',
    message: 'Source "stdin" cannot be read a second time. Pass a function',
  },
  PositionNotStableError: {
    make: () => new errors.PositionNotStableError('send', '"ask" may reject other records the next time'),
    code: 'POSITION_NOT_STABLE',
    recovery: 'never',
    message:
      'Records of "send" have no stable position: "ask" may reject other records the next time. Make the key from the record itself',
  },
  BufferOverflowError: {
    make: () => new errors.BufferOverflowError('clicks', 2, 9),
    code: 'BUFFER_OVERFLOW',
    recovery: 'restart',
    message:
      'Source "clicks": record 9 does not fit, 2 are already waiting. Raise `capacity`, or allow the loss of records with `overflow`',
  },
  NonErrorThrownError: {
    make: () => new errors.NonErrorThrownError({ a: 1 }),
    code: 'NON_ERROR_THROWN',
    recovery: 'restart',
    message: 'A non-error was thrown: {"a":1}',
  },
  OperationTimeoutError: {
    make: () => new errors.OperationTimeoutError('fetch', 50),
    code: 'TIMEOUT',
    recovery: 'restart',
    message: 'fetch did not finish within 50 ms',
  },
  NoResourceAvailableError: {
    make: () =>
      new errors.NoResourceAvailableError(
        {
          slots: 4,
          tasks: ['a[0]', 'a[1]', 'a[2]', 'b[0]', 'b[1]'],
          groups: [
            { name: 'g', slots: 3 },
            { name: undefined, slots: 1 },
          ],
        },
        { slots: 2, free: 1, executors: [{ executor: 'e1' as ExecutorId, slots: 2, free: 1 }] },
        'got none',
      ),
    code: 'NO_RESOURCE_AVAILABLE',
    recovery: 'restart',
    message:
      'A region needs 4 slots, 2 are offered: a[0], a[1], a[2], b[0] and 1 more got none (by slot sharing group: 3 for "g", 1 for tasks in no group). There is 1 executor with 1 free slot (e1: 1 of 2 free). Raise `slots`, lower the parallelism, let operators share slots (`slotSharingGroup`), or split the region with an exchange other than pipelined',
  },
  ExecutorLostError: {
    make: () => new errors.ExecutorLostError('e1' as ExecutorId, 'no heartbeat'),
    code: 'EXECUTOR_LOST',
    recovery: 'restart',
    message: 'Task executor e1 is lost: no heartbeat',
  },
  AnswerNotRememberedError: {
    make: () => new errors.AnswerNotRememberedError('embed', '$.text is a function', 'Return plain data'),
    code: 'ANSWER_NOT_REMEMBERED',
    recovery: 'never',
    message:
      'mapAsync "embed" cannot remember an answer: $.text is a function. Return plain data, or set `remember: false`',
  },
  AnswersInUseError: {
    make: () => new errors.AnswersInUseError('state/answers', { pid: 7, host: 'here' }),
    code: 'ANSWERS_IN_USE',
    recovery: 'never',
    message: 'state/answers: a run in process 7 on here uses these answers. Drop them when it has ended',
  },
  JournalFormatError: {
    make: () => new errors.JournalFormatError('state/journal', 'format 3', 'format 2', 'Delete it to start over'),
    code: 'JOURNAL_FORMAT',
    recovery: 'never',
    message: 'state/journal: it is format 3, expected format 2. Delete it to start over',
  },
  JournalAccessError: {
    make: () => new errors.JournalAccessError('state/journal', 'append to', { code: 'ENOSPC', message: 'full' }),
    code: 'JOURNAL_ACCESS',
    recovery: 'restart',
    message:
      'Cannot append to state/journal: A non-error was thrown: {"code":"ENOSPC","message":"full"}. Free space on its disk, and run again',
  },
  TooManyErrorsError: {
    make: () =>
      new errors.TooManyErrorsError(
        'parse',
        { errors: 4, records: 50, limit: { errors: 3, share: 0 } },
        { operator: 'parse', record: { position: 'a.csv:7', picture: '{}' } },
        new Error('no number'),
      ),
    code: 'TOO_MANY_ERRORS',
    recovery: 'never',
    message:
      '"parse" failed at 4 of 50 records, more than `maxErrors` allows (3). The first: no number (in "parse", at a.csv:7: {})',
  },
  StateVersionError: {
    make: () => new errors.StateVersionError('orders', 'cart', 1, 2),
    code: 'STATE_VERSION',
    recovery: 'never',
    message:
      'State "cart" of "orders" has values of version 1, and the job declares version 2. Give it `migrate`, or another name, under which it begins empty',
  },
  StateMigrationError: {
    make: () =>
      new errors.StateMigrationError(
        { operator: 'orders', state: 'cart', key: 'ada', from: 1, to: 2 },
        new TypeError('no currency'),
      ),
    code: 'STATE_MIGRATION',
    recovery: 'never',
    message:
      'State "cart" of "orders" cannot be migrated from version 1 to 2 at key "ada": no currency. Correct `migrate`, and run again',
  },
  StateBackendError: {
    make: () => new errors.StateBackendError('/states/a', 'write', new Error('No space left on device')),
    code: 'STATE_BACKEND',
    recovery: 'restart',
    message:
      'Cannot write keyed state in /states/a: No space left on device. Free space on its disk, or give `lmdbState` a `directory` on another one',
  },
  StateDirectoryInUseError: {
    make: () =>
      new errors.StateDirectoryInUseError(
        'state',
        { run: 'r1', job: 'labels', pid: 7, host: 'here', isHere: false, since: '2026-11-28T00:00:00.000Z' },
        'Wait until it ends',
      ),
    code: 'STATE_DIRECTORY_IN_USE',
    recovery: 'never',
    message:
      'State directory state is in use: run r1 of job "labels", in process 7 on here, owns it since 2026-11-28T00:00:00.000Z. Wait until it ends',
  },
  NothingToResumeError: {
    make: () => new errors.NothingToResumeError('state', 'labels'),
    code: 'NOTHING_TO_RESUME',
    recovery: 'never',
    message:
      'There is nothing of job "labels" to continue in state. Check the path, or leave out resume: \'require\' to begin from the start',
  },
  OtherJobStateError: {
    make: () => new errors.OtherJobStateError('state', 'labels', 'prices'),
    code: 'STATE_OF_OTHER_JOB',
    recovery: 'never',
    message:
      'state is the state directory of job "prices", and job "labels" cannot use it too. Name a directory of its own. If the job was renamed, give it its name back, or run it once with resume: \'never\' to start over',
  },
  EndNotRecordedError: {
    make: () => new errors.EndNotRecordedError('labels', new Error('no space left')),
    code: 'END_NOT_RECORDED',
    recovery: 'never',
    message:
      'Job "labels" has finished, and its output is complete, but its journal cannot say so: no space left. Run it again once that is mended; it only does what is left',
  },
  CommittedOutputError: {
    make: () => new errors.CommittedOutputError('out', [{ operator: 'fix', why: 'its function changed' }]),
    code: 'OUTPUT_COMMITTED',
    recovery: 'never',
    message:
      'The sink "out" has records of an earlier run and cannot replace them, and what it would get now is different because of "fix" (its function changed). Undo the change, or run with rerun: true to send it all records again',
  },
  JobFailedError: {
    make: () =>
      new errors.JobFailedError('etl', 'map[2]', 'no restart left', {
        cause: new Error('no such city'),
        place: { operator: 'rate', record: { position: 'cities.jsonl:18', picture: '{"city":"Ys"}' } },
      }),
    code: 'JOB_FAILED',
    recovery: 'restart',
    message:
      'Job "etl" failed: no such city (in "rate", at cities.jsonl:18: {"city":"Ys"}, in map[2]; no restart left)',
  },
  JobIncompleteError: {
    make: () =>
      new errors.JobIncompleteError('etl', {
        quarantined: [
          { region: 2 as RegionId, tasks: ['map[2]'], task: 'map[2]', cause: new Error('no such city'), failures: 3 },
        ],
        heldUp: ['sum[0]'],
      }),
    code: 'JOB_INCOMPLETE',
    recovery: 'restart',
    message:
      'Job "etl" finished with 1 region quarantined (region 2 after 3 failures, last of map[2]: no such city). 1 task behind it did not run. Its output is incomplete. Mend the cause and run the job again: with a state directory, what has finished need not run again',
  },
  JobCanceledError: {
    make: () => new errors.JobCanceledError('etl'),
    code: 'JOB_CANCELED',
    recovery: 'restart',
    message: 'Job "etl" was canceled',
  },
};

const exported = Object.entries(errors)
  .filter(([, value]) => typeof value === 'function' && value.prototype instanceof KintsugiError)
  .map(([name]) => name);

describe('errors', () => {
  it('every exported class is in the table', () => {
    expect(Object.keys(table).sort()).toEqual(exported.sort());
  });

  it.each(Object.entries(table))('%s has its name, code, recovery and message', (name, row) => {
    const error = row.make();
    const { code, recovery, message } = row;
    expect({ name: error.name, code: error.code, recovery: error.recovery, message: error.message }).toEqual({
      name,
      code,
      recovery,
      message,
    });
  });

  it('every code is unique', () => {
    const codes = Object.values(table).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it.each(Object.entries(table))(
    '%s has code and recovery as its own properties, so that copies keep them',
    (_, { make }) => {
      const error = make();
      expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: error.code, recovery: error.recovery });
    },
  );

  it.each(Object.entries(table))('%s is an instance of its class after crossing a wall, with its data', (_, row) => {
    const error = row.make();
    const revived = fromPlainError(structuredClone(toPlainError(error)));
    expect(revived).not.toBe(error);
    expect(revived).toBeInstanceOf(error.constructor);
    expect(Object.entries(revived)).toEqual(Object.entries(error));
    expect([revived.name, revived.message, revived.stack]).toEqual([error.name, error.message, error.stack]);
  });

  it('keep their cause', () => {
    const cause = new Error('x');
    expect(new errors.SpillError('/', 'full', { cause }).cause).toBe(cause);
    expect(new errors.JobFailedError('etl', undefined, 'over', { cause }).cause).toBe(cause);
    expect(new errors.PartitionLostError(lost, 'gone', { cause }).cause).toBe(cause);
  });

  it.each<errors.Recovery>(['never', 'restart'])('a full disk comes with the remedy: %s', (recovery) => {
    expect(new errors.DiskBudgetExceededError('the run', 100, 90, 'nothing can be released', recovery).recovery).toBe(
      recovery,
    );
  });

  it.each([
    { at: { file }, says: 'data.csv: bad' },
    { at: { file, line: 3 }, says: 'data.csv:3: bad' },
    { at: { file, line: 3, column: 4 }, says: 'data.csv:3:4: bad' },
  ])('malformed input is located as far as known: $says', ({ at, says }) => {
    expect(new errors.MalformedInputError(at, 'bad').message).toBe(says);
  });

  const cause = new Error('no such city');
  const place = { operator: 'rate', record: undefined };
  it.each<[string, string, Error]>([
    [
      'as a whole',
      'Job "etl" failed: no such city (over)',
      new errors.JobFailedError('etl', undefined, 'over', { cause }),
    ],
    [
      'for a reason that says it',
      'Job "etl" failed: over: no such city',
      new errors.JobFailedError('etl', undefined, 'over: no such city', { cause }),
    ],
    [
      'with a word that is in the reason by chance',
      'Job "etl" failed: no (in map[2]; the restart backoff allows no more restarts)',
      new errors.JobFailedError('etl', 'map[2]', 'the restart backoff allows no more restarts', {
        cause: new Error('no'),
      }),
    ],
    [
      'in a task',
      'Job "etl" failed: no such city (in map[2]; over)',
      new errors.JobFailedError('etl', 'map[2]', 'over', { cause }),
    ],
    [
      'in an operator',
      'Job "etl" failed: no such city (in "rate", in map[2]; over)',
      new errors.JobFailedError('etl', 'map[2]', 'over', { cause, place }),
    ],
  ])('a job that fails %s names the cause first', (_, message, error) => {
    expect(error.message).toBe(message);
  });
});

describe('toError', () => {
  it('returns an error unchanged, of another realm too', () => {
    const own = new Error('x');
    const foreign = { message: 'x', stack: 'at y' };
    expect(toError(own)).toBe(own);
    expect(toError(foreign)).toBe(foreign);
  });

  it.each<[string, Error]>([
    ['an error without own properties', Object.create(Error.prototype) as Error],
    ['an error of a vm context', runInNewContext('new TypeError("x")') as Error],
    ['an aggregate error', new AggregateError([new Error('a')], 'all')],
    ['a DOMException', new DOMException('x', 'AbortError')],
    ['a frozen error', Object.freeze(new Error('x'))],
    ['an error whose stack throws', errorWithout('stack')],
    ['an error whose cause throws', errorWithout('cause')],
    ['an error whose toString throws', errorWithout('toString')],
  ])('returns %s unchanged', (_, error) => {
    expect(toError(error)).toBe(error);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a number', 0],
    ['a text', 'text'],
    ['an object without a stack', { message: 'no stack' }],
    ['an object without a prototype', Object.create(null)],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['an object whose toJSON throws', { toJSON: () => errorWithout('message').message }],
    ['a revoked proxy', revokedProxy()],
    ['a proxy that throws', trappingProxy()],
    ['an error whose message throws', errorWithout('message')],
    ['an error whose name throws', errorWithout('name')],
    ['an error whose message is a symbol', Object.assign(new Error('x'), { message: Symbol('s') })],
    ['an error whose name is an object', Object.assign(new Error('x'), { name: Object.create(null) })],
  ])('wraps %s', (_, thrown) => {
    const error = toError(thrown);
    expect(error).toBeInstanceOf(errors.NonErrorThrownError);
    expect(error.message).toMatch(/^A non-error was thrown: ./);
    expect(Object.is((error as errors.NonErrorThrownError).thrown, thrown)).toBe(true);
  });
});

describe('the chain of causes', () => {
  const chain = (error: unknown) => [...causeChain(error)];

  it('goes from an error to its last cause of any type', () => {
    const inner = new Error('inner', { cause: 'text' });
    const outer = new Error('outer', { cause: inner });
    expect(chain(outer)).toEqual([outer, inner, 'text']);
    expect(chain(undefined)).toEqual([]);
    expect(chain(null)).toEqual([]);
  });

  it('ends in a ring', () => {
    const a = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    expect(chain(a)).toEqual([a, b]);
  });

  it('ends after 32 links', () => {
    let error = new Error('0');
    for (let link = 1; link < 100; link++) error = new Error(String(link), { cause: error });
    expect(chain(error)).toHaveLength(32);
  });

  it('ends at an unreadable cause', () => {
    const unreadable = errorWithout('cause');
    expect(chain(new Error('outer', { cause: unreadable })).at(-1)).toBe(unreadable);
    const revoked = revokedProxy();
    expect(chain(new Error('outer', { cause: revoked }))[1] === revoked).toBe(true);
  });
});

describe('the cause with a code', () => {
  const lost = new errors.ExecutorLostError('here' as never, 'it is off');

  it.each<{ rule: string; error: unknown; found: unknown }>([
    { rule: 'the error itself', error: lost, found: lost },
    { rule: 'its cause', error: new Error('outer', { cause: lost }), found: lost },
    {
      rule: 'the first of two',
      error: new Error('outer', { cause: Object.assign(lost, { cause: { code: lost.code } }) }),
      found: lost,
    },
    {
      rule: 'an error of another realm',
      error: { cause: { code: 'EXECUTOR_LOST' } },
      found: { code: 'EXECUTOR_LOST' },
    },
    { rule: 'none', error: new Error('outer', { cause: 'text' }), found: undefined },
    { rule: 'none for undefined', error: undefined, found: undefined },
    { rule: 'none for an unreadable error', error: errorWithout('code'), found: undefined },
    { rule: 'none for a revoked proxy', error: revokedProxy(), found: undefined },
  ])('is $rule', ({ error, found }) => {
    expect(causeWithCode(error, 'EXECUTOR_LOST')).toEqual(found);
  });
});

it('user data in a message is bounded, and the remedy at the end remains', () => {
  const long = 'x'.repeat(100_000);
  const { message } = new errors.JobValidationError(['map'], `"${long}" reads nothing`, 'Connect it');
  expect(message).toHaveLength(2_000);
  expect(message).toMatch(/^"x+ … \(100028 characters\) … x+" reads nothing\. Connect it$/);
  const failed = new errors.JobFailedError('job', 'map[0]', long, { cause: new Error(long) });
  expect(failed.message).toMatch(/^Job "job" failed: x.*x \(in map\[0\]\)$/);
  expect(failed.message).toHaveLength(2_000);
});
