// An environment that a test drives
export {
  type DriveOptions,
  VirtualEnvironment,
  virtualEnvironment,
  type VirtualEnvironmentOptions,
} from './virtual-environment.ts';
export { VirtualClock, VirtualTimeError } from './virtual-clock.ts';
export { type SeededRandom, seededRandom } from './seeded-random.ts';

// Faults
export {
  type Fault,
  FaultPlan,
  faultPlan,
  type FaultPlace,
  type FaultTrigger,
  InjectedFaultError,
} from './fault-plan.ts';

// Simulation
export { simulate, SimulationError, type SimulationOptions, type SimulationReport } from './simulate.ts';
export type { DrawnFault, DrawnRun, DrawnShape } from './drawn-run.ts';
export { JobHistory } from './job-history.ts';
export { MemorySpillStore } from './storage/memory-spill-store.ts';
