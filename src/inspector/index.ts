/** @packageDocumentation The inspector: see a run in a browser, and steer it. */
export { inspect, type Inspection } from './server/inspect.ts';
export { inspector, type Inspector } from './server/inspector.ts';
export type { InspectOptions, InspectorOptions } from './server/inspector-options.ts';
export { nodeHandler } from './server/node-handler.ts';
export { PortInUseError } from './inspector-errors.ts';
