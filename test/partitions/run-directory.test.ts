import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type * as FileSystem from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { decodeOwner, encodeOwner, ownerOf } from '../../src/partitions/claims/owner-note.ts';
import { stageIn, startTimeIn } from '../../src/partitions/claims/process-stat.ts';
import { type ProcessTable, systemProcesses } from '../../src/partitions/claims/process-table.ts';
import { claimDirectory, sweepOrphans } from '../../src/partitions/claims/run-directory.ts';
import { bundledCode } from '../support/bundled-script.ts';

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'runs-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(parent, { recursive: true, force: true });
});

const onLinux = process.platform === 'linux' ? it : it.skip;
/** Windows has neither pipes in directories nor links for every user. */
const onPosix = process.platform === 'win32' ? it.skip : it;
/** Only the superuser can create files of another user. */
const asRoot = process.geteuid?.() === 0 ? it : it.skip;

/** A pipe without a writer: opening it to read would block forever. */
function pipe(path: string): void {
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
}

/** The pid of a process that has ended. */
const deadPid = spawnSync(process.execPath, ['-e', '']).pid;

/** Processes of a machine with full information: pid → start time. */
function linux(
  startTimeByPid: Readonly<Record<number, string>>,
  overrides: Partial<ProcessTable> = {},
): ProcessTable & { readonly pid: number } {
  return {
    host: 'here',
    machineId: 'machine',
    pidNamespace: 'pid:[1]',
    bootId: 'today',
    pid: 100,
    has: (pid) => pid in startTimeByPid,
    awaitEnd: () => {},
    startTime: (pid) => startTimeByPid[pid],
    ...overrides,
  };
}

/** Processes of a machine that only tells which pids exist. */
function mac(pids: readonly number[], overrides: Partial<ProcessTable> = {}): ProcessTable {
  const nothing = { machineId: undefined, pidNamespace: undefined, bootId: undefined, startTime: () => undefined };
  return { host: 'here', pid: 100, has: (pid) => pids.includes(pid), awaitEnd: () => {}, ...nothing, ...overrides };
}

/** A directory with a file, as a crash leaves it. */
function directoryOf(name: string, owner: string | Uint8Array | undefined): string {
  const directory = join(parent, name);
  mkdirSync(directory);
  writeFileSync(join(directory, 'partition-0-0.0'), 'bytes');
  if (owner !== undefined) writeFileSync(join(directory, 'owner'), owner);
  return directory;
}

/** The note of the ended process. */
const dead = encodeOwner(ownerOf(mac([], { pid: deadPid })));

describe('the directory of a run', () => {
  it("contains its owner's note before it gets its name", async () => {
    const directory = await claimDirectory(parent, linux({ 100: '7' }));
    expect(basename(directory)).toMatch(/^kintsugi-\w{6}$/);
    expect(readdirSync(parent)).toEqual([basename(directory)]);
    expect(decodeOwner(readFileSync(join(directory, 'owner')))).toEqual({
      pid: 100,
      startTime: '7',
      host: 'here',
      machineId: 'machine',
      pidNamespace: 'pid:[1]',
      bootId: 'today',
    });
  });

  it('is not left behind without a name if the note cannot be written', async () => {
    const mute = linux(
      {},
      {
        startTime: () => {
          throw new Error('no');
        },
      },
    );
    await expect(claimDirectory(parent, mute)).rejects.toThrow('no');
    expect(readdirSync(parent)).toEqual([]);
  });

  const owner = linux({ 100: '7' });
  const early = mac([100]);

  it.each<readonly [string, ProcessTable, ProcessTable]>([
    ['whose process is dead', owner, linux({ 200: '9' })],
    ['whose pid belongs to another process now', owner, linux({ 100: '8' })],
    ['from before the last reboot', owner, linux({ 100: '7' }, { bootId: 'tomorrow' })],
    ['where the system tells no more than the numbers', early, mac([200])],
  ])('is swept if it is one %s', async (_, claimant, sweeper) => {
    const directory = await claimDirectory(parent, claimant);
    mkdirSync(join(directory, 'below'));
    writeFileSync(join(directory, 'below', 'partition-0-0.0'), 'bytes');
    await sweepOrphans(parent, sweeper);
    expect(readdirSync(parent)).toEqual([]);
  });

  it.each<readonly [string, ProcessTable, ProcessTable]>([
    ['whose process runs', owner, linux({ 100: '7' })],
    ['of another host', owner, linux({}, { host: 'there' })],
    ['of another machine of that name', owner, linux({}, { machineId: 'other', bootId: 'other' })],
    ['of another namespace', owner, linux({}, { pidNamespace: 'pid:[2]' })],
    [
      'of another namespace, from before the last reboot',
      owner,
      linux({}, { pidNamespace: 'pid:[2]', bootId: 'tomorrow' }),
    ],
    [
      'of a container, on a machine that may be another',
      linux({}, { machineId: undefined }),
      linux({}, { machineId: undefined, bootId: 'other' }),
    ],
    ['of a process with an unknown start time', owner, linux({ 100: '7' }, { startTime: () => undefined })],
    ['of a process that did not record its start time', linux({}, { startTime: () => undefined }), linux({ 100: '7' })],
    ['of a system with less information', early, linux({})],
    ['of a system with more information', owner, mac([])],
    ['on a system that only tells the pids, where the pid exists', early, mac([100])],
  ])('is never swept if it is one %s', async (_, claimant, sweeper) => {
    const directory = await claimDirectory(parent, claimant);
    await sweepOrphans(parent, sweeper);
    expect(readdirSync(directory)).toEqual(['owner']);
  });

  it.each<readonly [string, string, string | Uint8Array | undefined]>([
    ['without a claim', 'kintsugi-new', undefined],
    ['that is being claimed', '.kintsugi-new', undefined],
    ['whose owner cannot be read', 'kintsugi-odd', '{'],
    ['whose owner is half written', '.kintsugi-odd', dead.subarray(0, -1)],
    ['whose owner is damaged', 'kintsugi-odd', Uint8Array.from(dead, (byte, at) => (at === 40 ? byte ^ 1 : byte))],
    ['whose owner is not a process', 'kintsugi-odd', encodeOwner(ownerOf(mac([], { pid: 0 })))],
    ["whose owner's note is empty", 'kintsugi-odd', 'null'],
    ["whose owner's note is too long", 'kintsugi-odd', Buffer.concat([dead, new Uint8Array(5_000)])],
    ['that is not ours', 'other-dead', dead],
  ])('is never swept if it is one %s', async (_, name, note) => {
    const directory = directoryOf(name, note);
    await sweepOrphans(parent, mac([]));
    expect(readdirSync(directory)).toContain('partition-0-0.0');
  });

  describe('is left alone, without blocking, if it is a trap:', () => {
    /** The target of a trap, with a file that must stay. */
    const elsewhere = (): string => directoryOf('elsewhere', dead);
    const isThere = (directory: string): void => expect(readdirSync(directory)).toContain('partition-0-0.0');

    onPosix.each<readonly [string, (trap: string) => void]>([
      ['a pipe', (trap) => pipe(trap)],
      ['a file', (trap) => writeFileSync(trap, dead)],
      ['a link that leads nowhere', (trap) => symlinkSync(join(parent, 'nowhere'), trap)],
      ['a link to itself', (trap) => symlinkSync(trap, trap)],
    ])('%s of that name', async (_, set) => {
      const trap = join(parent, 'kintsugi-trap');
      set(trap);
      await sweepOrphans(parent, mac([]));
      expect(readdirSync(parent)).toEqual(['kintsugi-trap']);
    });

    onPosix('a link of that name', async () => {
      const target = elsewhere();
      symlinkSync(target, join(parent, 'kintsugi-trap'));
      await sweepOrphans(parent, mac([]));
      isThere(target);
      expect(readdirSync(parent)).toContain('kintsugi-trap');
    });

    onPosix.each<readonly [string, (note: string, target: string) => void]>([
      ['a pipe', (note) => pipe(note)],
      ['a link to one', (note, target) => symlinkSync(join(target, 'owner'), note)],
      ['a directory', (note) => mkdirSync(note)],
      ['a device', (note) => symlinkSync('/dev/zero', note)],
    ])('its note is %s', async (_, set) => {
      const directory = directoryOf('kintsugi-trap', undefined);
      set(join(directory, 'owner'), elsewhere());
      await sweepOrphans(parent, mac([]));
      isThere(directory);
    });

    asRoot('it belongs to another user, and we are the superuser', async () => {
      const directory = directoryOf('kintsugi-trap', dead);
      chownSync(directory, 12_345, 12_345);
      await sweepOrphans(parent, mac([]));
      isThere(directory);
    });

    asRoot('its note belongs to another user', async () => {
      const directory = directoryOf('kintsugi-trap', dead);
      chownSync(join(directory, 'owner'), 12_345, 12_345);
      await sweepOrphans(parent, mac([]));
      isThere(directory);
    });

    onPosix('it contains a link: the link is removed, and its target stays', async () => {
      const target = elsewhere();
      const directory = directoryOf('kintsugi-dead', dead);
      symlinkSync(target, join(directory, 'partition-9-0.0'));
      await sweepOrphans(parent, mac([]));
      isThere(target);
      expect(existsSync(directory)).toBe(false);
    });

    onLinux('it is replaced by a link after its note was read', async () => {
      const target = elsewhere();
      const directory = directoryOf('kintsugi-dead', dead);
      const swapping = mac([], {
        has: () => {
          renameSync(directory, join(parent, 'aside'));
          symlinkSync(target, directory);
          return false;
        },
      });
      await sweepOrphans(parent, swapping);
      isThere(target);
      expect(readdirSync(join(parent, 'aside'))).toEqual([]);
    });
  });

  it('is left to the next sweep when the run is over', async () => {
    const directory = directoryOf('kintsugi-dead', dead);
    await sweepOrphans(parent, mac([]), () => true);
    expect(readdirSync(directory).sort()).toEqual(['owner', 'partition-0-0.0']);
  });

  it("is swept before it has its name, if it has an owner's note", async () => {
    const directory = directoryOf('.kintsugi-half', dead);
    await sweepOrphans(parent, mac([]));
    expect(existsSync(directory)).toBe(false);
  });

  it('that cannot be swept completely can be swept by the next run', async () => {
    const directory = directoryOf('kintsugi-dead', dead);
    const files = jest.requireActual<typeof FileSystem>('node:fs/promises');
    const { rm } = files;
    const spy = jest.spyOn(files, 'rm').mockImplementation(async (path, options) => {
      if (!String(path).includes('partition')) return rm(path, options);
      // Long enough for the note to be removed first, if it were.
      for (let look = 0; look < 20; look++) await files.stat(directory);
      throw new Error('EBUSY');
    });
    await sweepOrphans(parent, mac([]));
    expect(readdirSync(directory).sort()).toEqual(['owner', 'partition-0-0.0']);
    spy.mockRestore();
    await sweepOrphans(parent, mac([]));
    expect(readdirSync(parent)).toEqual([]);
  });

  it('with a missing parent is nothing to sweep', async () => {
    await expect(sweepOrphans(join(parent, 'nowhere'))).resolves.toBeUndefined();
  });

  it('of a killed process outlives it, and is swept then', async () => {
    const source = join(__dirname, '../../src/partitions/claims/run-directory.ts');
    const code = `
      import { claimDirectory } from ${JSON.stringify(source)};
      process.stdout.write(await claimDirectory(${JSON.stringify(parent)}));
      process.stdin.resume();`;
    const scripts = mkdtempSync(join(tmpdir(), 'run-directory-'));
    const script = await bundledCode(code, scripts);
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      const [directory] = (await once(child.stdout, 'data')).map(String) as [string];
      writeFileSync(join(directory, 'partition-0-0.0'), 'bytes');
      await sweepOrphans(parent);
      expect(readdirSync(directory).sort()).toEqual(['owner', 'partition-0-0.0']);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await sweepOrphans(parent);
      expect(readdirSync(parent)).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      rmSync(scripts, { recursive: true, force: true });
    }
  });
});

describe('the processes of this machine', () => {
  it('are told apart from dead ones', () => {
    const processes = systemProcesses();
    expect([processes.host, processes.pid]).toEqual([hostname(), process.pid]);
    // Not every user may signal pid 1.
    expect([process.pid, 1, deadPid].map((pid) => processes.has(pid))).toEqual([
      true,
      process.platform !== 'win32',
      false,
    ]);
    expect(processes.startTime(deadPid)).toBeUndefined();
  });

  onLinux('tell when they were started, and where their numbers count', async () => {
    const processes = systemProcesses();
    expect(processes.pidNamespace).toMatch(/^pid:\[\d+\]$/);
    expect(processes.bootId).toMatch(/^[0-9a-f-]{36}$/);
    expect(processes.startTime(process.pid)).toMatch(/^\d+$/);
    expect(systemProcesses().startTime(process.pid)).toBe(processes.startTime(process.pid));
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: 'pipe' });
    try {
      await once(child, 'spawn');
      expect(Number(processes.startTime(child.pid as number))).toBeGreaterThan(
        Number(processes.startTime(process.pid)),
      );
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('may have names that look like the rest of their entry', () => {
    const fields = ['S', ...Array.from({ length: 40 }, (_, index) => String(index + 4))];
    expect(startTimeIn(`12 (a) b (c)) ${fields.join(' ')}\n`)).toBe('22');
    expect(startTimeIn('')).toBeUndefined();
  });

  it.each([
    ['S', 0x40_0000, 7, 0, 'alive'],
    ['R', 0x40_0000, 7, 1 << 14, 'alive'],
    ['R', 0x40_0000, 7, 1 << 8, 'ending'],
    ['R', 0x40_0404, 1, 0, 'ending'],
    ['Z', 0x40_0404, 7, 0, 'ending'],
    ['Z', 0x40_0404, 1, 0, 'ended'],
    ['X', 0x40_0404, 0, 0, 'ended'],
  ])(
    'are in their stage: %s, flags %i, threads %i, pending signals %i: %s',
    (state, flags, threads, pending, stage) => {
      const fields = Array.from({ length: 50 }, () => '1');
      for (const [at, value] of Object.entries({ 3: state, 9: flags, 20: threads, 31: pending })) {
        fields[Number(at) - 3] = String(value);
      }
      expect(stageIn(`12 (a) b (c)) ${fields.join(' ')}\n`)).toBe(stage);
      expect(stageIn('')).toBe('alive');
    },
  );
});

onLinux('a process that has ended, and whose parent does not ask how, is not there', async () => {
  // The shell becomes a program that does not know of its child.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [told] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(told.toString());
    const processes = systemProcesses();
    const hasEnded = (): boolean => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    while (!hasEnded()) await new Promise((resolve) => setImmediate(resolve));
    expect(processes.has(pid)).toBe(false);
  } finally {
    parent.kill('SIGKILL');
  }
});
