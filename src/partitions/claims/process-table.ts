import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { startTimeIn } from './process-stat.ts';

/** What a system says about itself and its processes; what it does not say is undefined (most of it, off Linux). */
export interface ProcessTable {
  readonly host: string;
  /** Tells machines apart that have one host name. */
  readonly machineId: string | undefined;
  /** Where process numbers mean what they mean here. */
  readonly pidNamespace: string | undefined;
  /** Changes with each start of the machine. */
  readonly bootId: string | undefined;
  /** Number of this process. */
  readonly pid: number;
  /** Whether there is a process of that number. */
  has(pid: number): boolean;
  /** When a process was started, in a unit of the system's: who gets its number later has another. */
  startTime(pid: number): string | undefined;
}

/** The processes of the machine that this one runs on. */
export function systemProcesses(): ProcessTable {
  const { pid } = process;
  // A `/proc` that was mounted from elsewhere has other numbers.
  const isProcOurs = told(() => readlinkSync('/proc/self')) === String(pid);
  return {
    host: hostname(),
    machineId: told(() => readFileSync('/etc/machine-id', 'utf8')),
    pidNamespace: told(() => readlinkSync('/proc/self/ns/pid')),
    bootId: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    pid,
    has: isThere,
    startTime: (of) => (isProcOurs ? told(() => startTimeIn(readFileSync(`/proc/${of}/stat`, 'utf8'))) : undefined),
  };
}

/** A process that we may not signal is there too. */
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
