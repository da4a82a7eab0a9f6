import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { type ProcessStage, stageIn, startTimeIn } from './process-stat.ts';

/** Facts about the system and its processes. Undefined if the system does not provide them, as most outside Linux. */
export interface ProcessTable {
  readonly host: string;
  /** Distinguishes machines with the same host name. */
  readonly machineId: string | undefined;
  /** The namespace in which pids are unique. */
  readonly pidNamespace: string | undefined;
  /** Changes with each boot. */
  readonly bootId: string | undefined;
  /** Pid of this process. */
  readonly pid: number;
  /** Whether a process with this pid exists. Not one that has ended, and whose parent has not asked how yet. */
  has(pid: number): boolean;
  /** Waits for the end of a process that is killed and not gone yet: it may still be writing. Two seconds at most. */
  awaitEnd(pid: number): void;
  /** When a process was started, in a system unit. Distinguishes it from a later process with the same pid. */
  startTime(pid: number): string | undefined;
}

/** The process table of this machine. */
export function systemProcesses(): ProcessTable {
  const { pid } = process;
  // A `/proc` of another pid namespace has different pids.
  const isProcOurs = told(() => readlinkSync('/proc/self')) === String(pid);
  const stat = (of: number): string | undefined =>
    isProcOurs ? told(() => readFileSync(`/proc/${of}/stat`, 'utf8')) : undefined;
  const stage = (of: number): ProcessStage => stageIn(stat(of) ?? '');
  return {
    host: hostname(),
    machineId: told(() => readFileSync('/etc/machine-id', 'utf8')),
    pidNamespace: told(() => readlinkSync('/proc/self/ns/pid')),
    bootId: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    pid,
    has: (of) => isThere(of) && stage(of) !== 'ended',
    awaitEnd: (of) => {
      for (let waits = 0; waits < 400 && isThere(of) && stage(of) === 'ending'; waits++) sleep(5);
    },
    startTime: (of) => startTimeIn(stat(of) ?? ''),
  };
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A process that we may not signal exists too. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function told(ask: () => string | undefined): string | undefined {
  try {
    const answer = ask()?.trim();
    return answer === '' ? undefined : answer;
  } catch {
    return undefined;
  }
}
