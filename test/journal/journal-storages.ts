import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalStorage } from '../../src/journal/journal-storage.ts';
import { FileJournalStorage } from '../../src/partitions/storage/file-journal-storage.ts';
import { MemoryJournalStorage } from '../support/memory-journal-storage.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-journal-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** Every kind of storage for logs. Each call makes one whose directory does not exist. */
export const journalStorages: readonly [name: string, make: () => JournalStorage][] = [
  ['memory', () => new MemoryJournalStorage()],
  ['files', () => new FileJournalStorage(join(root, String(count++), 'a', 'b'))],
];
