import { journalStorages } from './journal-storages.ts';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe.each(journalStorages)('a storage for logs: %s', (_, make) => {
  it('is empty before its first file, and lists its files', () => {
    const storage = make();
    expect(storage.list()).toEqual([]);
    expect(storage.openToRead('a')).toBeUndefined();
    storage.open('a').close();
    storage.open('b').close();
    expect(storage.list().sort()).toEqual(['a', 'b']);
    storage.remove('a');
    storage.remove('c');
    expect(storage.list()).toEqual(['b']);
  });

  it('writes, cuts and reads a file, which a reader sees grow', async () => {
    const storage = make();
    const file = storage.open('a');
    file.write(0, Buffer.from('one'));
    const reader = storage.openToRead('a');
    expect(text(reader?.read(0, 10))).toBe('one');
    file.write(3, Buffer.from('two'));
    await file.sync();
    expect(reader?.size()).toBe(6);
    expect(text(reader?.read(2, 3))).toBe('etw');
    file.truncate(4);
    file.write(4, Buffer.from('!'));
    expect(text(reader?.read(0, 10))).toBe('onet!');
    reader?.close();
    reader?.close();
    file.close();
    expect(text(storage.open('a').read(0, 10))).toBe('onet!');
  });

  it('renames a file over another', async () => {
    const storage = make();
    storage.open('old').write(0, Buffer.from('old'));
    storage.open('new').write(0, Buffer.from('new'));
    storage.rename('new', 'old');
    await storage.syncDirectory();
    expect(storage.list()).toEqual(['old']);
    expect(text(storage.openToRead('old')?.read(0, 10))).toBe('new');
    expect(storage.pathOf('old')).toContain('old');
  });
});
