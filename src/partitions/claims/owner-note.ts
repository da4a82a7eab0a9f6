import { encodeRecord, readRecord } from '../../journal/record-header.ts';
import type { ProcessTable } from './process-table.ts';

/** The file that names the owner of a directory. */
export const ownerFile = 'owner';

/** Maximum size of a note; a larger file of that name is not one. */
export const longestNoteBytes = 4_096;

const format = { kind: 'OWNR', version: 1 } as const;

/** The purpose of a claim. */
export interface Purpose {
  readonly run: string;
  readonly job: string;
  /** The job vertex. */
  readonly vertex: string;
  /** When the claim was taken, in ISO 8601. */
  readonly since?: string | undefined;
}

/** The process that owns a directory. */
export interface Owner extends Pick<ProcessTable, 'host' | 'machineId' | 'pidNamespace' | 'bootId' | 'pid'> {
  readonly startTime: string | undefined;
  readonly purpose: Purpose | undefined;
}

/** This process, as an owner. */
export function ownerOf(processes: ProcessTable, purpose?: Purpose): Owner {
  const { host, machineId, pidNamespace, bootId, pid } = processes;
  return { pid, startTime: processes.startTime(pid), host, machineId, pidNamespace, bootId, purpose };
}

/** Encodes the note of an owner. */
export function encodeOwner(owner: Owner): Uint8Array {
  return encodeRecord(format, new TextEncoder().encode(JSON.stringify(owner)));
}

/** Decodes a note; undefined if it is invalid or incomplete. */
export function decodeOwner(note: Uint8Array): Owner | undefined {
  const record = readRecord(format, note);
  if (record.kind !== 'whole') return undefined;
  const told = fieldsOf(record.payload);
  const { pid, host, purpose } = told;
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0 || typeof host !== 'string') return undefined;
  const text = (key: string): string | undefined => (typeof told[key] === 'string' ? told[key] : undefined);
  return {
    pid: pid as number,
    host,
    startTime: text('startTime'),
    machineId: text('machineId'),
    pidNamespace: text('pidNamespace'),
    bootId: text('bootId'),
    purpose: purposeIn(purpose),
  };
}

function fieldsOf(payload: Uint8Array): Partial<Record<string, unknown>> {
  try {
    return (JSON.parse(new TextDecoder().decode(payload)) ?? {}) as Partial<Record<string, unknown>>;
  } catch {
    return {};
  }
}

function purposeIn(told: unknown): Purpose | undefined {
  const { run, job, vertex, since } = (told ?? {}) as Partial<Record<string, unknown>>;
  if (typeof run !== 'string' || typeof job !== 'string' || typeof vertex !== 'string') return undefined;
  return { run, job, vertex, ...(typeof since === 'string' && { since }) };
}

/** Whether the owner's pid has the same meaning here. */
export function isOfOurs(owner: Owner, processes: ProcessTable): boolean {
  return isOnOurs(owner, processes) && owner.bootId === processes.bootId;
}

/** Whether the owner ran on this machine, among the same pids. */
function isOnOurs({ host, machineId, pidNamespace }: Owner, processes: ProcessTable): boolean {
  return host === processes.host && machineId === processes.machineId && pidNamespace === processes.pidNamespace;
}

/** Whether the owner's process is certainly dead: its pid has the same meaning here, and no such process exists. */
export function isDead(owner: Owner, processes: ProcessTable): boolean {
  const { machineId, bootId } = processes;
  if (!isOnOurs(owner, processes)) return false;
  if (owner.bootId !== bootId) {
    // Without a machine id, the owner may be on another machine, and alive.
    return owner.bootId !== undefined && bootId !== undefined && machineId !== undefined;
  }
  if (!processes.has(owner.pid)) return true;
  const startTime = processes.startTime(owner.pid);
  return owner.startTime !== undefined && startTime !== undefined && owner.startTime !== startTime;
}
