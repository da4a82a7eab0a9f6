import { readFileSync } from 'node:fs';
import type * as kintsugi from '../../src/index.ts';
import type * as testing from '../../src/testing/index.ts';

/** The names of the optional properties that do not accept `undefined`. */
type Refusing<Options> = {
  [Name in keyof Options]-?: object extends Pick<Options, Name>
    ? { readonly [Each in Name]: undefined } extends Pick<Options, Name>
      ? never
      : Name
    : never;
}[keyof Options];

/** Does not compile unless every optional property of `Options` accepts `undefined`. */
function accepts<Options>(..._refusing: [Refusing<Options>] extends [never] ? [] : [Refusing<Options>]): true {
  return true;
}

// With `exactOptionalPropertyTypes` a caller cannot pass on `maybe.signal` unless the type allows it.
const optionTypes: Readonly<Record<string, true>> = {
  AsyncMapOptions: accepts<kintsugi.AsyncMapOptions>(),
  BlockingExchangeOptions: accepts<kintsugi.BlockingExchangeOptions>(),
  CheckpointOptions: accepts<kintsugi.CheckpointOptions>(),
  CsvFileOptions: accepts<kintsugi.CsvFileOptions<1>>(),
  CsvOptions: accepts<kintsugi.CsvOptions<1>>(),
  DecodeOptions: accepts<kintsugi.DecodeOptions<1>>(),
  DriveOptions: accepts<testing.DriveOptions>(),
  DurableExplainOptions: accepts<kintsugi.DurableExplainOptions>(),
  EnvironmentOverrides: accepts<kintsugi.EnvironmentOverrides>(),
  ErrorOptions: accepts<kintsugi.ErrorOptions<1, 1>>(),
  ErrorShare: accepts<kintsugi.ErrorShare>(),
  ExchangeOptions: accepts<kintsugi.ExchangeOptions>(),
  ExchangeSettings: accepts<kintsugi.ExchangeSettings>(),
  ExplainOptions: accepts<kintsugi.ExplainOptions>(),
  ExponentialDelayOptions: accepts<kintsugi.ExponentialDelayOptions>(),
  FaultTrigger: accepts<testing.FaultTrigger>(),
  FoldOptions: accepts<kintsugi.FoldOptions>(),
  ReduceOptions: accepts<kintsugi.ReduceOptions>(),
  RollingOptions: accepts<kintsugi.RollingOptions>(),
  LmdbStateOptions: accepts<kintsugi.LmdbStateOptions>(),
  S3CheckpointsOptions: accepts<kintsugi.S3CheckpointsOptions>(),
  FromObservableOptions: accepts<kintsugi.FromObservableOptions>(),
  JobOptions: accepts<kintsugi.JobOptions>(),
  JobRunOptions: accepts<kintsugi.JobRunOptions>(),
  RunRecordingOptions: accepts<kintsugi.RunRecordingOptions>(),
  DrainOptions: accepts<kintsugi.DrainOptions>(),
  JsonLinesFileOptions: accepts<kintsugi.JsonLinesFileOptions<1>>(),
  JsonLinesOptions: accepts<kintsugi.JsonLinesOptions<1>>(),
  JsonTextOptions: accepts<kintsugi.JsonTextOptions>(),
  JsonValueOptions: accepts<kintsugi.JsonValueOptions>(),
  KeepOptions: accepts<kintsugi.KeepOptions>(),
  KeyOptions: accepts<kintsugi.KeyOptions>(),
  KeyedAsyncMapOptions: accepts<kintsugi.KeyedAsyncMapOptions<1>>(),
  KeyedProcess: accepts<kintsugi.KeyedProcess<1, 1, 1, 1>>(),
  MemoryExchangeOptions: accepts<kintsugi.MemoryExchangeOptions>(),
  OperatorOptions: accepts<kintsugi.OperatorOptions>(),
  PackingOptions: accepts<kintsugi.PackingOptions>(),
  ParquetFileOptions: accepts<kintsugi.ParquetFileOptions<1>>(),
  RecordOptions: accepts<kintsugi.RecordOptions<1, 1>>(),
  RememberOptions: accepts<kintsugi.RememberOptions<1>>(),
  RejectOptions: accepts<kintsugi.RejectOptions<1>>(),
  ReliableExchangeOptions: accepts<kintsugi.ReliableExchangeOptions>(),
  SimulationOptions: accepts<testing.SimulationOptions>(),
  SavepointExplainOptions: accepts<kintsugi.SavepointExplainOptions>(),
  SavepointOptions: accepts<kintsugi.SavepointOptions>(),
  StopWithSavepointOptions: accepts<kintsugi.StopWithSavepointOptions>(),
  Sink: accepts<kintsugi.Sink<1>>(),
  SpeculationOptions: accepts<kintsugi.SpeculationOptions>(),
  StateOptions: accepts<kintsugi.StateOptions>(),
  SubtaskStateOptions: accepts<kintsugi.SubtaskStateOptions>(),
  StateVersioning: accepts<kintsugi.StateVersioning>(),
  SlotOptions: accepts<kintsugi.SlotOptions>(),
  Source: accepts<Omit<kintsugi.Source<1>, 'plan' | 'changedSince' | 'describeChange' | 'redistribute'>>(),
  SourceOptions: accepts<kintsugi.SourceOptions>(),
  ThroughOptions: accepts<kintsugi.ThroughOptions>(),
  ToCsvFileOptions: accepts<kintsugi.ToCsvFileOptions<{ a: 1 }>>(),
  ToJsonLinesFileOptions: accepts<kintsugi.ToJsonLinesFileOptions>(),
  ToNodeWritableOptions: accepts<kintsugi.ToNodeWritableOptions>(),
  ToParquetFileOptions: accepts<kintsugi.ToParquetFileOptions<{ a: 1 }>>(),
  FromKafkaOptions: accepts<kintsugi.FromKafkaOptions<1>>(),
  KafkaClusterOptions: accepts<kintsugi.KafkaClusterOptions>(),
  ToKafkaOptions: accepts<kintsugi.ToKafkaOptions<1>>(),
  ToPostgresOptions: accepts<kintsugi.ToPostgresOptions<{ a: 1 }>>(),
  ToWebWritableOptions: accepts<kintsugi.ToWebWritableOptions>(),
  ValueOptions: accepts<kintsugi.ValueOptions>(),
  VersionOptions: accepts<kintsugi.VersionOptions>(),
  VirtualEnvironmentOptions: accepts<testing.VirtualEnvironmentOptions>(),
  WorkersOptions: accepts<kintsugi.WorkersOptions>(),
};

it('every public options type is in the table of those that accept undefined', () => {
  const doors = ['../../src/index.ts', '../../src/testing/index.ts'];
  const text = doors.map((door) => readFileSync(new URL(door, `file://${__filename}`), 'utf8')).join();
  const names = Array.from(text.matchAll(/\b(\w+Options)\b/g), ([name]) => name);
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !Object.hasOwn(optionTypes, name))).toEqual([]);
});
