import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledScript } from '../support/bundled-script.ts';

interface Sent {
  readonly type: string;
  readonly sessionId: string;
  readonly name?: string;
  readonly parentId?: string;
  readonly status?: string;
}

/** The messages of the real `@statelyai/inspect`, which is ESM only, about a live job. */
async function sent(): Promise<Sent[]> {
  const directory = mkdtempSync(join(tmpdir(), 'statelyai-inspect-'));
  try {
    const args = ['--no-warnings', await bundledScript('../compat/statelyai-inspect.ts', directory)];
    const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const;
    return execFileSync(process.execPath, args, options)
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Sent);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("Stately's inspector, passed as an observer", () => {
  let messages: Sent[];
  let actors: Sent[];
  let nameOf: Map<string, string | undefined>;

  beforeAll(async () => {
    messages = await sent();
    actors = messages.filter(({ type }) => type === '@xstate.actor');
    nameOf = new Map(actors.map(({ sessionId, name }) => [sessionId, name]));
  });

  it('gets one connected tree', () => {
    const roots = actors.filter(({ parentId }) => parentId === undefined);
    expect(roots).toHaveLength(1);
    for (const { parentId } of actors) if (parentId !== undefined) expect(nameOf.has(parentId)).toBe(true);
    const run = roots[0]?.name as string;
    const paths = [...nameOf.values()].map((name) => (name as string).replace(run, '<run>'));
    expect(paths).toEqual(
      expect.arrayContaining([
        '<run>/master',
        '<run>/master/execution/joined[0]#0',
        '<run>/master/failover',
        '<run>/local-0/task/words[1]#0',
        '<run>/local-0/partition/0#0',
      ]),
    );
  });

  it('gets the events of each actor, and its states to the end', () => {
    for (const type of ['@xstate.event', '@xstate.snapshot']) {
      const told = new Set(messages.filter((message) => message.type === type).map(({ sessionId }) => sessionId));
      expect([...told].filter((sessionId) => !nameOf.has(sessionId))).toEqual([]);
      expect(told.size).toBeGreaterThan(10);
    }
    const last = messages.filter(
      ({ type, sessionId }) => type === '@xstate.snapshot' && nameOf.get(sessionId)?.endsWith('/master'),
    );
    expect(last.at(-1)?.status).toBe('stopped');
  });
});
