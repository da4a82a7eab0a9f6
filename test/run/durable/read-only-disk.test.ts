import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Job, noRestart, range, toJsonLinesFile } from '../../../src/index.ts';

let home: string;
const at = (name: string): string => join(home, name);
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'read-only-'));
});
afterEach(() => {
  jest.restoreAllMocks();
  fs.rmSync(home, { recursive: true, force: true });
});

const readOnly = (): never => {
  throw Object.assign(new Error('EROFS: read-only file system, unlink'), { code: 'EROFS', syscall: 'unlink' });
};

/** From now on nothing can be deleted, as on a disk that has become read-only. */
function deletesNothing(): void {
  jest.spyOn(fs, 'rmSync').mockImplementation(readOnly);
  jest.spyOn(fs.promises, 'rm').mockImplementation(async () => readOnly());
}

function numbers(perRecord: (n: number) => number, name: string): Job {
  const job = Job.create('numbers');
  job
    .source('numbers', range(0, 10))
    .map(perRecord, { version: 1 })
    .sink('out', toJsonLinesFile(at(`${name}.jsonl`)));
  return job;
}

const breaking = (n: number): number => {
  if (n < 5) return n;
  deletesNothing();
  throw new Error('the model is away');
};

it.each(['with a state directory', 'without one'])(
  'files that cannot be removed do not hide why the job failed, and hold up no later run of the process, %s',
  async (how) => {
    const options = how === 'without one' ? {} : { stateDirectory: at('state') };
    await expect(
      numbers(breaking, 'out').run({ ...options, restartBackoff: noRestart() }).result,
    ).rejects.toMatchObject({
      code: 'JOB_FAILED',
      message: expect.stringContaining('the model is away'),
    });
    jest.restoreAllMocks();
    await numbers((n) => n, 'out').run(options).result;
    expect(fs.readFileSync(at('out.jsonl'), 'utf8')).toBe(Array.from({ length: 10 }, (_, n) => `${n}\n`).join(''));
    expect(fs.readdirSync(home).filter((name) => name.startsWith('.'))).toEqual([]);
  },
);

it('nor do they undo the end of a job that has finished', async () => {
  const last = (n: number): number => (n === 9 && deletesNothing(), n);
  await numbers(last, 'out').run().result;
  expect(fs.readFileSync(at('out.jsonl'), 'utf8')).toHaveLength(20);
});
