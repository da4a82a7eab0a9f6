import { spawnSync } from 'node:child_process';
import fs, {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OutputInUseError } from '../../src/errors/connector-errors.ts';
import { encodeOwner, ownerOf, type Purpose } from '../../src/partitions/claims/owner-note.ts';
import { PathClaim } from '../../src/partitions/claims/path-claim.ts';
import type { ProcessTable } from '../../src/partitions/claims/process-table.ts';
import { thrownBy } from '../support/thrown-by.ts';

const onPosix = process.platform === 'win32' ? it.skip : it;
/** Only the superuser can create files of another user. */
const asRoot = process.geteuid?.() === 0 ? it : it.skip;

let parent: string;
let path: string;
beforeEach(() => {
  parent = realpathSync(mkdtempSync(join(tmpdir(), 'claims-')));
  path = join(parent, 'out');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const claimOf = (): string => join(parent, '.out.kintsugi');
const purpose = (run: string): Purpose => ({ run, job: `job of ${run}`, vertex: 'sink' });

/** A machine with these processes. */
function machine(pid: number, pids: readonly number[], overrides: Partial<ProcessTable> = {}): ProcessTable {
  return {
    host: 'here',
    machineId: 'machine',
    pidNamespace: 'pid:[1]',
    bootId: 'today',
    pid,
    has: (asked) => pids.includes(asked),
    awaitEnd: () => {},
    startTime: (asked) => (pids.includes(asked) ? '7' : undefined),
    ...overrides,
  };
}

const ours = machine(100, [100, 200]);
const take = (run: string, processes = ours): PathClaim => PathClaim.take(path, purpose(run), processes);

/** Two unfinished files of a run, and a foreign one. */
function leaveFiles(run: string): void {
  writeFileSync(join(claimOf(), `${run}.0.0`), 'half');
  writeFileSync(join(claimOf(), `${run}.1.0`), 'half');
}

it('PC1: one of two claimants gets a path, and the other learns who has it', () => {
  const first = take('first');
  expect(thrownBy(() => take('second'))).toMatchObject({
    code: 'OUTPUT_IN_USE',
    file: path,
    claim: claimOf(),
    holder: 'first',
    message: `${path}: "sink" of job "job of first" writes it (run first, in this process). Write elsewhere, or wait until that run ends`,
  });
  expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
  first.release();
  expect(readdirSync(parent)).toEqual([]);
  expect(take('second').isHeld).toBe(true);
});

it('PC1: a power loss leaves no claim without its note, because that is synced before', () => {
  const steps: string[] = [];
  const { fsyncSync, renameSync } = fs;
  jest.spyOn(fs, 'fsyncSync').mockImplementation((file) => {
    steps.push(`${fs.fstatSync(file).size} bytes synced`);
    fsyncSync(file);
  });
  jest.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
    steps.push('named');
    renameSync(from, to);
  });
  take('first');
  jest.restoreAllMocks();
  const note = encodeOwner(ownerOf(ours, purpose('first')));
  expect(steps).toEqual([`${note.length} bytes synced`, 'named']);
});

onPosix('PC1: by whatever link they come to it', () => {
  mkdirSync(join(parent, 'dir'));
  symlinkSync(join(parent, 'dir'), join(parent, 'link'));
  PathClaim.take(join(parent, 'dir/out'), purpose('first'), ours);
  expect(() => PathClaim.take(join(parent, 'link/out'), purpose('second'), ours)).toThrow(OutputInUseError);
});

it('PC2: the claim of a dead process is taken over, and its remains are removed', () => {
  const dead = take('dead', machine(300, [300]));
  leaveFiles('dead');
  const claim = take('next');
  expect(readdirSync(claim.directory)).toEqual(['owner']);
  expect([dead.isHeld, claim.isHeld]).toEqual([false, true]);
  expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
  dead.release();
  expect(claim.isHeld).toBe(true);
});

it('PC2, PC6: a claim whose process is killed and not gone yet is taken over once it is gone', () => {
  take('theirs', machine(200, [200]));
  leaveFiles('theirs');
  const pids = [100, 200];
  const waitedFor: number[] = [];
  const processes = machine(100, pids, {
    awaitEnd: (pid) => {
      waitedFor.push(pid);
      pids.pop();
    },
  });
  const claim = take('next', processes);
  expect([claim.isHeld, waitedFor]).toEqual([true, [200]]);
  expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
  expect(() => take('elsewhere', { ...processes, host: 'there' })).toThrow(OutputInUseError);
  expect(waitedFor).toEqual([200]);
});

it.each<[whose: string, processes: ProcessTable, where: string]>([
  ['whose process runs', machine(200, [200]), 'in process 200 on here'],
  ['of another host', machine(300, [], { host: 'there' }), 'in process 300 on there'],
  ['of another machine of that name', machine(300, [], { machineId: 'other' }), 'in process 300 on here'],
  ['of another container', machine(300, [], { pidNamespace: 'pid:[2]' }), 'in process 300 on here'],
])('PC2: a claim %s is respected, and the error says what to delete if it is stale', (_, processes, where) => {
  const theirs = take('theirs', processes);
  leaveFiles('theirs');
  expect(() => take('next')).toThrow(
    `(run theirs, ${where}). Write elsewhere, or wait until that run ends; if it is gone, delete ${claimOf()}`,
  );
  expect(readdirSync(theirs.directory).sort()).toEqual(['owner', 'theirs.0.0', 'theirs.1.0']);
  expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
});

describe('PC2: a directory without a valid note is respected:', () => {
  const dead = encodeOwner(ownerOf(machine(300, []), purpose('dead')));

  it.each<[what: string, note: Uint8Array]>([
    ['an empty note', new Uint8Array()],
    ['half a note', dead.subarray(0, 30)],
    ['a note with a wrong bit', Uint8Array.from(dead, (byte, index) => (index === 50 ? byte ^ 2 : byte))],
    ['a note of a directory that is not a claim', encodeOwner(ownerOf(machine(300, [])))],
    ['a note that goes on forever', Buffer.concat([dead, new Uint8Array(10_000)])],
  ])('%s', (_, note) => {
    mkdirSync(claimOf());
    writeFileSync(join(claimOf(), 'owner'), note);
    expect(() => take('next')).toThrow(
      `${claimOf()} exists, but does not name a run of this user. Delete it if no run uses it`,
    );
    expect(readdirSync(claimOf())).toEqual(['owner']);
  });

  it('a file', () => {
    writeFileSync(claimOf(), 'mine');
    expect(() => take('next')).toThrow(/Delete it if no run uses it/);
  });

  onPosix('a pipe as a note, without blocking', () => {
    mkdirSync(claimOf());
    spawnSync('mkfifo', [join(claimOf(), 'owner')]);
    expect(() => take('next')).toThrow(OutputInUseError);
  });

  onPosix('a link to a claim that could be taken over', () => {
    mkdirSync(join(parent, 'elsewhere'));
    writeFileSync(join(parent, 'elsewhere/owner'), dead);
    symlinkSync(join(parent, 'elsewhere'), claimOf());
    expect(() => take('next')).toThrow(OutputInUseError);
    expect(readdirSync(join(parent, 'elsewhere'))).toEqual(['owner']);
  });

  asRoot('one of another user', () => {
    mkdirSync(claimOf());
    writeFileSync(join(claimOf(), 'owner'), dead);
    chownSync(claimOf(), 12_345, 12_345);
    expect(() => take('next')).toThrow(OutputInUseError);
  });
});

describe('PC5: of a process that died while it took or removed a claim, the next claimant removes', () => {
  const dead = encodeOwner(ownerOf(machine(300, []), purpose('dead')));
  it.each([
    ['a directory without a note', 'x', undefined],
    ['a half written note', 'x', dead.subarray(0, 20)],
    ['a directory that is no claim yet', 'x', dead],
    ['a claim that it had put aside', 'x-old', dead],
  ])('%s', (_, name, note) => {
    const directory = join(parent, `.kintsugi-claim-${name}`);
    mkdirSync(directory);
    if (note !== undefined) writeFileSync(join(directory, 'owner'), note);
    writeFileSync(join(parent, 'mine'), '');
    const claim = take('first');
    expect(readdirSync(parent)).toEqual(['.out.kintsugi', 'mine']);
    expect(claim.isHeld).toBe(true);
  });

  it('a directory that is no claim yet, beside the claim that it had put aside', () => {
    for (const name of ['x', 'x-old']) {
      mkdirSync(join(parent, `.kintsugi-claim-${name}`));
      writeFileSync(join(parent, `.kintsugi-claim-${name}`, 'owner'), dead);
    }
    take('first');
    expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
  });

  it('nothing of a process that lives, and no foreign files', () => {
    for (const [name, pid] of [
      ['living', 200],
      ['dead', 300],
    ] as const) {
      const directory = join(parent, `.kintsugi-claim-${name}`);
      mkdirSync(directory);
      writeFileSync(join(directory, 'owner'), encodeOwner(ownerOf(machine(pid, [pid]), purpose(name))));
      writeFileSync(join(directory, 'mine'), '');
    }
    take('first').release();
    take('second');
    expect(readdirSync(join(parent, '.kintsugi-claim-living')).sort()).toEqual(['mine', 'owner']);
    expect(readdirSync(join(parent, '.kintsugi-claim-dead-old'))).toEqual(['mine']);
  });
});

describe('PC6: the claim of a dead process has one heir:', () => {
  const leaveHeir = (pid: number, pids: readonly number[]): void => {
    take('dead', machine(300, [300]));
    mkdirSync(join(claimOf(), 'heir'));
    writeFileSync(join(claimOf(), 'heir', 'owner'), encodeOwner(ownerOf(machine(pid, pids), purpose('heir'))));
  };

  it('while that lives, others are refused', () => {
    leaveHeir(200, [200]);
    expect(thrownBy(() => take('next'))).toMatchObject({ code: 'OUTPUT_IN_USE', holder: 'heir', owner: { pid: 200 } });
    expect(readdirSync(claimOf()).sort()).toEqual(['heir', 'owner']);
    expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
  });

  it('if that has died too, both are removed', () => {
    leaveHeir(301, []);
    expect(take('next').isHeld).toBe(true);
    expect(readdirSync(claimOf())).toEqual(['owner']);
    expect(readdirSync(parent)).toEqual(['.out.kintsugi']);
  });
});

it('PC3: foreign files stay', () => {
  const claim = take('run');
  leaveFiles('run');
  writeFileSync(join(claim.directory, 'mine.txt'), 'mine');
  claim.release();
  expect(readdirSync(claim.directory)).toEqual(['mine.txt']);
});

it('PC4: a deleted claim is not held, and another run may claim the path', () => {
  const claim = take('run');
  rmSync(claim.directory, { recursive: true });
  expect(claim.isHeld).toBe(false);
  const next = take('next');
  claim.release();
  expect(next.isHeld).toBe(true);
});

it('PC7: a claim that cannot be removed when it is released holds up nobody in its process', () => {
  const first = take('first');
  leaveFiles('first');
  const denied = jest.spyOn(fs, 'rmSync').mockImplementation(() => {
    throw Object.assign(new Error('EROFS: read-only file system, unlink'), { code: 'EROFS' });
  });
  first.release();
  denied.mockRestore();
  expect(PathClaim.holderOf(path, ours)).toMatchObject({ run: 'first', isDead: true });
  expect(() => take('other', machine(200, [100, 200]))).toThrow(OutputInUseError);
  take('second').release();
  expect(readdirSync(parent)).toEqual([]);
});
