import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilePool } from '../../src/partitions/storage/file-pool.ts';

let scratch = '';
let path = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'file-pool-test-'));
  path = join(scratch, 'file');
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const create = (at: () => Promise<string> = () => Promise.resolve(path)) => new FilePool().add(at);

describe('a file of a pool', () => {
  it('PF1: keeps its handle while it is used, and is closed after that', async () => {
    const file = create();
    const used: FileHandle[] = [];
    let closing: Promise<void> | undefined;
    await file.use(async (handle) => {
      used.push(handle);
      closing = file.close();
      for (let look = 0; look < 20; look++) await handle.stat();
      await handle.write('text');
    });
    await closing;
    expect(used[0]?.fd).toBe(-1);
    expect(readFileSync(path, 'utf8')).toBe('text');
    expect(await file.use((handle) => handle.readFile('utf8'))).toBe('text');
    await file.close();
    await file.remove();
  });

  it('PF2: disappears after its last use, which ends with an error', async () => {
    const file = create();
    let gone: Promise<void> | undefined;
    const using = file.use(async (handle) => {
      gone = file.remove();
      // Long enough for a file that does not wait.
      for (let look = 0; look < 20; look++) await handle.stat();
      return existsSync(path);
    });
    await expect(using).rejects.toThrow('the file was removed');
    await gone;
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('PF2: still exists while it is used, although it was removed', async () => {
    const file = create();
    let isThere: boolean | undefined;
    const using = file.use(async (handle) => {
      void file.remove();
      for (let look = 0; look < 20; look++) await handle.stat();
      isThere = existsSync(path);
    });
    await Promise.allSettled([using]);
    expect(isThere).toBe(true);
    await file.remove();
  });

  it('PF2: is not created again by a late use', async () => {
    const file = create();
    const never = create(() => Promise.resolve(join(scratch, 'never')));
    await file.use(() => Promise.resolve());
    await Promise.all([file.remove(), never.remove()]);
    let isUsed = false;
    const use = (): Promise<void> => {
      isUsed = true;
      return Promise.resolve();
    };
    await expect(file.use(use)).rejects.toThrow('the file was removed');
    await expect(never.use(use)).rejects.toThrow('the file was removed');
    expect([isUsed, readdirSync(scratch)]).toEqual([false, []]);
  });

  it('PF3: neither uses nor deletes an existing file', async () => {
    writeFileSync(path, 'foreign content');
    const file = create();
    await expect(file.use((handle) => handle.write('mine'))).rejects.toThrow(/EEXIST/);
    await file.remove();
    expect(readFileSync(path, 'utf8')).toBe('foreign content');
  });

  it('that could not be created is created by the next use', async () => {
    let asked = 0;
    const file = create(() => (asked++ === 0 ? Promise.reject(new Error('not yet')) : Promise.resolve(path)));
    await expect(file.use(() => Promise.resolve())).rejects.toThrow('not yet');
    await file.use((handle) => handle.write('text'));
    expect(readFileSync(path, 'utf8')).toBe('text');
    await file.remove();
  });

  it('is used at once when it is open', async () => {
    const file = create();
    const began: string[] = [];
    const use = (name: string): Promise<unknown> => file.use(() => Promise.resolve(began.push(name)));
    const first = use('first');
    expect(began).toEqual([]);
    await first;
    const second = use('second');
    expect(began).toEqual(['first', 'second']);
    await second;
    await file.close();
    const third = use('third');
    expect(began).toEqual(['first', 'second']);
    await third;
    await file.remove();
  });

  it('is inspected at its path, as it is now', async () => {
    const file = create();
    await file.use((handle) => handle.write('text'));
    rmSync(path);
    await expect(file.inspect((handle) => handle.stat())).rejects.toThrow(/ENOENT/);
    writeFileSync(path, 'another text');
    expect(await file.inspect((handle) => handle.readFile('utf8'))).toBe('another text');
    expect(await file.use((handle) => handle.stat())).toMatchObject({ size: 4 });
    await file.remove();
  });
});
