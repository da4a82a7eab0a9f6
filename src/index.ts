// Jobs
export { Job, type JobOptions, type SourceOptions } from './api/job.ts';
export { workers, type WorkersOptions } from './api/workers.ts';
export type { WorkerThreads } from './executors/workers/worker-threads.ts';
export type { ExecutorsOption } from './run/executors/executors-option.ts';
export { type DefinedJob, defineJob, type JobParams } from './api/define-job.ts';
export { DataStream, KeyedStream, type RecordOf } from './api/data-stream.ts';
export type { SubtaskProcess } from './api/subtask-functions.ts';
export type {
  Aggregation,
  Key,
  KeyedAsyncMapOptions,
  KeyedProcess,
  StatefulProcess,
} from './api/keyed-functions.ts';
export * from './api/states.ts';
export type { UseMapAsync } from './api/record-function.ts';
export type { FoldOptions, ReduceOptions } from './api/stream-end.ts';
export type {
  ExchangeOptions,
  JobDefinition,
  KeyOptions,
  OperatorOptions,
  ThroughOptions,
  RecordOptions,
  SlotOptions,
} from './api/stream-graph.ts';
export type { ConnectorDefinition, VersionOptions } from './operators/identity/step-declaration.ts';
export type { JobMode } from './run/job-plan.ts';
export {
  type DurableExplainOptions,
  type DurableJobExplanation,
  explain,
  type ExplainOptions,
  type JobExplanation,
  type SavepointExplainOptions,
  type SavepointJobExplanation,
} from './api/explain/explain.ts';
export type { RestoredStep, SavepointExplanation } from './api/explain/savepoint-explanation.ts';
export type { RestartScope } from './api/explain/restart-scope.ts';
export type {
  PaidOperator,
  RepeatedSink,
  ResumeExplanation,
  ReusedTasks,
  RunningTasks,
} from './api/explain/resume-explanation.ts';
export type { LiveSource } from './api/explain/live-sources.ts';
export type { WithoutSecondAttempts } from './run/executors/without-second-attempts.ts';
export type { RegionGroup } from './api/explain/region-groups.ts';
export type { SubtasksOfVertex } from './api/explain/task-list.ts';
export type { SlotDemand } from './scheduling/slot-demand.ts';
export type { SharedSlots } from './scheduling/slot-sharing.ts';

// Runs
export {
  blocking,
  type BlockingExchangeOptions,
  type Exchange,
  type KeepOptions,
  memory,
  type MemoryExchangeOptions,
  reliable,
  type ReliableExchangeOptions,
} from './api/exchange.ts';
export type { KeptResult } from './actors/protocol/deployment.ts';
export { releaseKeptResult } from './partitions/storage/kept-result.ts';
export type { DiskOverflow } from './partitions/retained/disk-room.ts';
export type { FailurePlace, RecordPlace } from './failure-place.ts';
export type { RootExceptionEntry } from './failover/exception-history.ts';
export type { ExchangeSettings, MemoryOverflow, SyncPolicy } from './graph/exchange-settings.ts';
export type { KeepInRun, KeepResults } from './graph/keep-results.ts';
export type { JobResult, JobRun } from './run/job-run.ts';
export type { JobSnapshot } from './run/folds/job-snapshot.ts';
export type { JobRunOptions, ResumePolicy } from './run/run-options.ts';
export type { RunRecordingOptions } from './run/record-option.ts';
export type { DrainOptions } from './run/run-controls.ts';
export type { SpeculationOptions } from './run/executors/speculation-option.ts';
export type { StorageUse } from './run/storage-use.ts';
export { diagnosticsChannels, type DiagnosticsMessage } from './run/diagnostics.ts';
export { pinoLogger, type PinoLike } from './run/pino-logger.ts';
export { type FailoverReceipt, formatBytes, type JobReceipt, type MovedRecords } from './run/folds/job-receipt.ts';
export type { CheckpointedTask, ResumedCheckpoint } from './actors/checkpoint-event.ts';
export type { DividedExchange, JobEvent, JobEventType } from './actors/job-event.ts';

// Checkpoints
export type { CheckpointOptions } from './run/checkpoints/checkpoints-option.ts';
export type { SavepointOptions, StopWithSavepointOptions } from './run/savepoints/savepoint-option.ts';
export type { CheckpointsReceipt, ContinuedReceipt } from './run/checkpoints/checkpoint-receipt.ts';
export type { CheckpointReport, ComponentCheckpointsReport } from './run/checkpoints/checkpoint-history.ts';
export type { BarrierAlignment } from './partitions/stream-element.ts';
export type { CheckpointFailureReason } from './checkpoints/failure-reason.ts';
export type { TaskCheckpointStatistics } from './actors/protocol/checkpoint-messages.ts';
export { fileCheckpoints, memoryCheckpoints } from './partitions/checkpoints/checkpoint-storages.ts';
export { lmdbState, type LmdbState, type LmdbStateOptions } from './operators/state/disk/lmdb-state.ts';
export { s3Checkpoints, type S3CheckpointsOptions } from './partitions/checkpoints/s3-checkpoints.ts';
export type {
  CheckpointManifest,
  CheckpointStorage,
  CheckpointStorageAddress,
  Chunks,
  FoundCheckpoint,
  PieceName,
  StoredPiece,
  SweptFiles,
  WrittenPiece,
} from './checkpoints/checkpoint-storage.ts';

// Which tasks restart
export type {
  FailedTask,
  FailoverDecision,
  FailoverRule,
  FailureEnricher,
  TaskFailure,
} from './failover/failover-strategy.ts';
export type { FailureClass, FailureClassifier } from './failover/failure-classifier.ts';
export { affectedRegions } from './failover/affected-regions.ts';
export { restartAll } from './failover/strategies/restart-all.ts';
export { restartIndividual } from './failover/strategies/restart-individual.ts';
export { restartPipelinedRegion } from './failover/strategies/restart-pipelined-region.ts';
export {
  failoverStrategyMachine,
  failoverStrategySetup,
  type FailoverStrategyActorRef,
  type FailoverStrategyEmitted,
  type FailoverStrategyEvent,
  type FailoverStrategyInput,
} from './machines/strategies/failover-strategy-machine.ts';
export type { Reproducibility, RestartMode } from './graph/reproducibility.ts';
export type { Topology } from './graph/topology.ts';

// Whether and when they restart
export type { BackoffScope, BackoffScopeRule } from './failover/backoffs/backoff-scope.ts';
export type { Quarantine } from './failover/quarantine.ts';
export type { RestartBackoffRule } from './failover/backoffs/restart-backoff.ts';
export { exponentialDelay, type ExponentialDelayOptions } from './failover/backoffs/exponential-delay.ts';
export { failureRate } from './failover/backoffs/failure-rate.ts';
export { fixedDelay } from './failover/backoffs/fixed-delay.ts';
export { noRestart } from './failover/backoffs/no-restart.ts';
export {
  type RestartBackoffActorRef,
  type RestartBackoffEmitted,
  type RestartBackoffEvent,
  type RestartBackoffInput,
  restartBackoffMachine,
  restartBackoffSetup,
} from './machines/strategies/restart-backoff-machine.ts';

// Statecharts, to be drawn and walked
export { compiled } from './machines/compiled/compiled.ts';
export { executionMachine } from './machines/execution/execution-machine.ts';
export { failoverMachine } from './machines/failover/failover-machine.ts';
export { jobMasterMachine } from './machines/job-master/job-master-machine.ts';
export { partitionMachine } from './machines/partition/partition-machine.ts';
export { regionMachine } from './machines/region/region-machine.ts';
export { checkpointCoordinatorMachine } from './machines/checkpoint-coordinator/checkpoint-coordinator-machine.ts';
export { pendingCheckpointMachine } from './machines/checkpoint-coordinator/pending-checkpoint-machine.ts';
export { heartbeatMachine } from './machines/heartbeat/heartbeat-machine.ts';
export { taskExecutorMachine } from './machines/task-executor/task-executor-machine.ts';
export {
  type ExecutionState,
  executionStates,
  type JobStatus,
  jobStatuses,
  type PartitionState,
  partitionStates,
  type RegionState,
  regionStates,
  type TaskExecutorState,
  taskExecutorStates,
} from './actors/protocol/states.ts';

// Exchanges and the graph
export { type ExchangeName, type ExchangeType, exchangeTypes } from './graph/exchange-type.ts';
export type { ExecutionGraph } from './graph/execution-graph.ts';
export type { JobEdge, JobGraph, JobVertex } from './graph/job-graph.ts';
export type { PipelinedRegions } from './graph/pipelined-region.ts';

// Connectors
export { collect, type Collected } from './connectors/collect.ts';
export { csvFile, type CsvFileOptions } from './connectors/csv/csv-file.ts';
export type { CsvOptions } from './connectors/csv/csv-head.ts';
export { csvRows, type DecodeOptions, type Decoder, jsonLines } from './connectors/lines/decoder.ts';
export { forEach } from './connectors/for-each.ts';
export { fromArray, range } from './connectors/from-array.ts';
export { fromAsyncIterable } from './connectors/streams/from-async-iterable.ts';
export { fromIterable } from './connectors/from-iterable.ts';
export { fromKafka, type FromKafkaOptions } from './connectors/kafka/from-kafka.ts';
export type { KafkaHeader, KafkaMessage, KafkaRecord } from './connectors/kafka/kafka-message.ts';
export { toKafka, type ToKafkaOptions } from './connectors/kafka/to-kafka.ts';
export type { KafkaClusterOptions } from './connectors/kafka/kafka-cluster.ts';
export {
  fromObservable,
  type FromObservableOptions,
  type ObservableBuffer,
} from './connectors/streams/from-observable.ts';
export { jsonLinesFile, type JsonLinesFileOptions } from './connectors/json/json-lines-file.ts';
export type { JsonLinesOptions } from './connectors/json/json-lines-reader.ts';
export type { JsonTextOptions } from './connectors/json/json-text.ts';
export type { JsonValueOptions } from './connectors/json/json-values.ts';
export type { PackingOptions, RollingOptions } from './connectors/outputs/part-options.ts';
export { fromNodeStream, toNodeWritable, type ToNodeWritableOptions } from './connectors/streams/node-stream.ts';
export type { ToChunk } from './connectors/streams/chunks.ts';
export type { RecordContext, RecordPosition } from './connectors/record-position.ts';
export { keptResult } from './connectors/kept-result-source.ts';
export { parquetFile, type ParquetFileOptions } from './connectors/parquet/parquet-file.ts';
export { toCsvFile, type ToCsvFileOptions } from './connectors/csv/to-csv-file.ts';
export { toPostgres, type ToPostgresOptions } from './connectors/postgres/to-postgres.ts';
export { toParquetFile, type ToParquetFileOptions } from './connectors/parquet/to-parquet-file.ts';
export type { ParquetColumnType } from './connectors/parquet/column-type.ts';
export type { ValueChoice, ValueOptions } from './connectors/value-options.ts';
export { toJsonLinesFile, type ToJsonLinesFileOptions } from './connectors/json/to-json-lines-file.ts';
export { fromWebStream, toWebWritable, type ToWebWritableOptions } from './connectors/streams/web-stream.ts';

// Records at which a function fails
export { type DeadLetter, deadLetterRecord } from './operators/rejected/dead-letter.ts';
export type {
  ErrorOptions,
  ErrorShare,
  MaxErrors,
  OnError,
  RejectionPlace,
  RejectOptions,
  RejectRecord,
  ToDeadLetters,
} from './operators/rejected/on-error.ts';
export type { RejectedRecords, RejectionOutcome } from './operators/rejected/rejections.ts';
export type { PlainError } from './plain-error.ts';

// Sources, sinks and the context of user functions
export { noRecord } from './partitions/loop-ends.ts';
export type { Source, SourceOrigin, SourcePlanContext, SourceReader } from './operators/source.ts';
export type { DeliveryGuarantee, Redo, Sink, SinkTarget, SinkWriter } from './operators/sink.ts';
export type { RunOutputs, RuntimeContext } from './operators/runtime-context.ts';
export type {
  AnswerSync,
  AsyncCallContext,
  AsyncMapOptions,
  CallLimit,
  KeyConcurrency,
  KeyedProcessContext,
  StatefulProcessContext,
  SubtaskProcessContext,
  RateLimit,
  RememberOptions,
  TokenLimit,
} from './operators/operator-description.ts';

// Fault points
export { taskFaultPoints } from './operators/task/task-faults.ts';
export { partitionFaultPoints } from './partitions/result-partition.ts';
export { spillFaultPoints } from './partitions/storage/spill-store.ts';
export { recordingFaultPoints } from './inspector/recorder/flight-recorder.ts';
export { partFileFaultPoints } from './connectors/outputs/part-writer.ts';

// Environment
export {
  type Clock,
  type Environment,
  type EnvironmentOverrides,
  type FaultPoints,
  type Logger,
  type Random,
  systemEnvironment,
} from './environment.ts';

// Errors
export { NonErrorThrownError, OperationTimeoutError, TooManyErrorsError } from './errors/user-code-errors.ts';
export {
  BufferOverflowError,
  FileAccessError,
  type InputChange,
  InputChangedError,
  KafkaRecordsGoneError,
  MalformedInputError,
  NoInputError,
  OutputInUseError,
  PartFilesError,
  PositionNotStableError,
  SourceNotReplayableError,
} from './errors/connector-errors.ts';
export {
  type AskedSlots,
  ExecutorLostError,
  NoResourceAvailableError,
  type OfferedSlots,
} from './errors/executor-errors.ts';
export {
  JobCanceledError,
  JobFailedError,
  JobIncompleteError,
  type QuarantinedRegion,
  RestartRequestedError,
  UnrecoverableError,
} from './errors/job-errors.ts';
export * from './errors/checkpoint-errors.ts';
export * from './errors/savepoint-errors.ts';
export { JournalAccessError, JournalFormatError } from './errors/journal-errors.ts';
export * from './errors/state-errors.ts';
export { RecordingFormatError, RecordingLimitError } from './errors/recording-errors.ts';
export { KintsugiError, type Recovery } from './errors/kintsugi-error.ts';
export {
  DeterminismBrokenError,
  DiskBudgetExceededError,
  KeptResultError,
  PartitionLostError,
  RecordNotSerializableError,
  SpillError,
} from './errors/result-errors.ts';
export { IllegalStateError, InvalidArgumentError, JobModuleError, JobValidationError } from './errors/usage-errors.ts';
export { CallCostError, RetryAfterError } from './operators/calls/call-errors.ts';
export { AnswerNotRememberedError, AnswersInUseError } from './operators/answers/answer-errors.ts';
export {
  type AnswerFilter,
  type RememberedAnswer,
  rememberedAnswers,
  type RememberedAnswers,
  type RememberedOperator,
} from './operators/answers/remembered-answers.ts';
export type { AnswerOrigin } from './operators/answers/files/answer-record.ts';
export type { CallCounts } from './operators/answers/answer-memory.ts';
export type {
  AttemptNumber,
  ExecutionVertexId,
  ExecutorId,
  FailoverId,
  JobVertexId,
  PartitionId,
  RegionId,
  ResultPartitionId,
  RunId,
} from './ids.ts';
