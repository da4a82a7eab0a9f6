import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledScript } from '../support/bundled-script.ts';

interface Count {
  readonly events: number;
  readonly states: number;
}

interface Report {
  readonly engine: Count & { readonly ended: number };
  readonly registered: number;
  readonly stately: Count & { readonly actors: string[]; readonly machines: string[]; readonly ended: number };
  readonly old: Count & {
    readonly services: string[];
    readonly machines: string[];
    readonly stopped: number;
    readonly strangeStates: number;
    readonly echoes: number;
  };
}

/** What the engine said about a live job, and what the real receivers of both inspectors got of it by their wires. */
async function report(): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'receivers-'));
  try {
    const args = ['--no-warnings', await bundledScript('../compat/receivers.ts', directory)];
    const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    return JSON.parse(
      execFileSync(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] }),
    ) as Report;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const machines = ['jobMaster', 'taskExecutor', 'region', 'execution', 'partition', 'failover', 'restartBackoff'];

describe('the real receivers of the inspectors of XState, at the wires of a live job', () => {
  let engine: Report['engine'];
  let registered: number;
  let stately: Report['stately'];
  let old: Report['old'];

  beforeAll(async () => {
    ({ engine, registered, stately, old } = await report());
  });

  it('get every event and every state that the engine has', () => {
    expect(registered).toBeGreaterThan(10);
    expect(engine.events).toBeGreaterThan(50);
    expect({ events: old.events, states: old.states }).toEqual({ events: engine.events, states: engine.states });
    // Its protocol says the end of an actor by a snapshot, also of those that end with the run.
    const endedWithRun = stately.actors.length - engine.ended;
    expect({ events: stately.events, states: stately.states }).toEqual({
      events: engine.events,
      states: engine.states + endedWithRun,
    });
  });

  it('know the same actors, from their start to their end', () => {
    expect(old.services).toEqual(stately.actors);
    expect(old.stopped).toBe(old.services.length);
    expect(stately.ended).toBe(stately.actors.length);
  });

  it('know their machines', () => {
    expect(stately.machines).toEqual(expect.arrayContaining(machines));
    expect(old.machines).toEqual(expect.arrayContaining(machines));
  });

  it('XState 4 finds every state in the definition of its machine', () => {
    expect(old.strangeStates).toBe(0);
  });

  it('the receiver of XState 4 sends an event back', () => {
    expect(old.echoes).toBe(1);
  });
});
