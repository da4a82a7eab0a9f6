/** @packageDocumentation The inspector: see a run in a browser, and steer it. */
export { inspect, type Inspection } from './server/inspect.ts';
export { inspector, type Inspector } from './server/inspector.ts';
export type { InspectOptions, InspectorOptions } from './server/inspector-options.ts';
export { nodeHandler } from './server/node-handler.ts';
export type { UpgradeHandler } from './server/node-upgrade.ts';
export { readRecording } from './recorder/read-recording.ts';
export { parseRecording, type ReadRecording } from './recording/recording-text.ts';
export { RunPicture } from './recording/run-picture.ts';
export type { RecordingLine } from './recording/recording-line.ts';
export { decodeValue, shownTag, Unrecorded } from './recording/decode-value.ts';
export type { Redact } from './recording/plain-value.ts';
export { MissingPackageError, PortInUseError } from './inspector-errors.ts';
