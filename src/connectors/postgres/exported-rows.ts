import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import { crc32 } from '../../partitions/records/checksum.ts';
import { syncDirectory } from '../../partitions/storage/file-segment.ts';
import type { PostgresClient } from './postgres-client.ts';
import type { PostgresOutput } from './postgres-output.ts';
import type { PreparedRows } from './prepared-rows.ts';

/** What a subtask had prepared, in a savepoint. Plain data. */
export interface ExportedRows {
  readonly prepared: PreparedRows;
  /** The CRC-32 of each file: `0.json`, `1.json` and so on, each an array of rows. */
  readonly crcs: readonly number[];
}

/** Copies the rows of a transaction into files, which keep them when later writers have removed it. */
export async function exportRows(
  client: PostgresClient,
  output: PostgresOutput,
  prepared: PreparedRows,
  directory: string,
): Promise<ExportedRows> {
  const { transaction } = prepared;
  const crcs: number[] = [];
  if (transaction === undefined) return { prepared, crcs };
  await mkdir(directory, { recursive: true });
  await output.read(client, transaction, async (rows) => {
    const bytes = Buffer.from(rows);
    const file = await open(fileOf(directory, crcs.length), 'wx');
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    crcs.push(crc32(bytes));
  });
  await syncDirectory(directory);
  return { prepared, crcs };
}

/**
 * Stages the rows of a savepoint again. Their new transaction replaces all that the subtask has committed from its number on.
 * @throws CheckpointUnreadableError if a file is missing or damaged
 */
export async function importRows(
  client: PostgresClient,
  output: PostgresOutput,
  { prepared, crcs }: ExportedRows,
  directory: string,
): Promise<PreparedRows> {
  const { transaction } = prepared;
  if (transaction === undefined) return prepared;
  await output.ensureTables(client);
  return await client.transaction(async () => {
    const again = await output.beginAgain(client, transaction);
    for (const [part, crc] of crcs.entries()) {
      const file = fileOf(directory, part);
      const bytes = await readFile(file).catch((cause: unknown) => {
        throw new CheckpointUnreadableError(file, 'it is missing', { cause });
      });
      if (crc32(bytes) !== crc) throw new CheckpointUnreadableError(file, 'its checksum differs');
      await output.stage(client, again, part, bytes.toString());
    }
    return { ...prepared, transaction: again };
  });
}

function fileOf(directory: string, part: number): string {
  return join(directory, `${part}.json`);
}
