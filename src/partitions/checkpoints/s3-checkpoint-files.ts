import { createHash } from 'node:crypto';
import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts';
import { partSuffix } from './disk-checkpoint-files.ts';
import { elementsOf, errorText, type S3Client, textsOf } from './s3-client.ts';

/** Bytes that are sent at once. All parts of an upload but the last one need at least 5 MiB. */
const partBytes = 8 << 20;

/** Bytes that a read fetches at least: a chunk and those that follow it, by one request. */
const blockBytes = 256 * 1_024;

/** Removals that are under way at once. */
const removalsAtOnce = 8;

const md5Header = 'x-amz-meta-md5';

interface Upload {
  readonly key: string;
  readonly id: string;
}

/**
 * Checkpoint files as objects of a bucket. An object is written by one conditional request (`If-None-Match`), so that it
 * exists in full or not at all, and only once. One of more than 8 MiB is uploaded in parts; it exists when the last request is
 * done, and the parts of an upload that was given up count as a file that was not completed. Each request carries the MD5 of
 * its body, which the store compares.
 */
export class S3CheckpointFiles implements CheckpointFiles {
  readonly #client: S3Client;
  readonly #scope: string;
  /** What was fetched last. Objects do not change. */
  #block:
    | { readonly name: string; readonly offset: number; readonly bytes: Uint8Array; readonly end: number }
    | undefined;

  constructor(client: S3Client, scope: string) {
    this.#client = client;
    this.#scope = scope;
  }

  pathOf(name: string): string {
    return this.#client.pathOf(this.#key(name));
  }

  async list(): Promise<readonly CheckpointFile[]> {
    const objects = await this.#pages(
      { 'list-type': '2' },
      (xml) =>
        elementsOf(xml, 'Contents').map((content) => ({
          name: this.#nameOf(content),
          bytes: Number(textsOf(content, 'Size')[0]),
        })),
      (xml) => ({ 'continuation-token': textsOf(xml, 'NextContinuationToken')[0] }),
    );
    const uploads = await this.#uploads();
    return [...objects, ...uploads.map(({ key }) => ({ name: `${key}${partSuffix}`, bytes: 0 }))];
  }

  async create(name: string, chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
    let pending: Uint8Array[] = [];
    let bytes = 0;
    let upload: PartUpload | undefined;
    try {
      for await (const chunk of chunks) {
        pending.push(chunk);
        bytes += chunk.length;
        if (bytes < partBytes) continue;
        upload ??= await PartUpload.begin(this.#client, this.#key(name));
        await upload.add(Buffer.concat(pending));
        [pending, bytes] = [[], 0];
      }
      const rest = Buffer.concat(pending);
      if (upload === undefined) return await this.#put(name, rest);
      if (rest.length > 0) await upload.add(rest);
      if ((await this.#head(name)) === undefined) return await upload.complete();
    } catch (error) {
      await upload?.abandon();
      throw error;
    }
    await upload.abandon();
    return false;
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const block = this.#block;
    const isThere = block?.name === name && offset >= block.offset && offset + length <= block.end;
    if (isThere) return block.bytes.subarray(offset - block.offset, offset - block.offset + length);
    const asked = Math.max(length, blockBytes);
    const bytes = await this.#fetch(name, offset, asked);
    if (bytes === undefined) return undefined;
    // Behind what is shorter than what was asked for, there is nothing.
    const end = bytes.length < asked ? Number.POSITIVE_INFINITY : offset + bytes.length;
    this.#block = { name, offset, bytes, end };
    return bytes.subarray(0, length);
  }

  async #fetch(name: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const range = `bytes=${offset}-${offset + length - 1}`;
    const response = await this.#client.send({ method: 'GET', key: this.#key(name), headers: { range } }, [404, 416]);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.status === 404) return undefined;
    // It ends before.
    if (response.status === 416) return new Uint8Array();
    // A store may ignore the range.
    return response.status === 206 ? bytes : bytes.slice(offset, offset + length);
  }

  async remove(names: readonly string[]): Promise<void> {
    this.#block = undefined;
    const hasParts = names.some((name) => name.endsWith(partSuffix));
    const uploads = hasParts ? await this.#uploads() : [];
    for (const group of groupsOf(names)) {
      await Promise.all(
        group.map(async (name) => {
          if (!name.endsWith(partSuffix))
            return void (await this.#client.send({ method: 'DELETE', key: this.#key(name) }));
          const key = name.slice(0, -partSuffix.length);
          for (const { id } of uploads.filter((upload) => upload.key === key)) {
            await abandon(this.#client, this.#key(key), id);
          }
        }),
      );
    }
  }

  #key(name: string): string {
    return `${this.#scope}/${name}`;
  }

  /** @param xml has a key */
  #nameOf(xml: string): string {
    return (textsOf(xml, 'Key')[0] ?? '').slice(this.#client.fullKey(this.#key('')).length);
  }

  async #put(name: string, body: Uint8Array): Promise<boolean> {
    const md5 = md5Of(body);
    const headers = { 'if-none-match': '*', 'content-md5': md5, [md5Header]: md5 };
    const response = await this.#client.send({ method: 'PUT', key: this.#key(name), headers, body }, [409, 412]);
    const answer = await response.text();
    if (response.ok) return true;
    // It may be this one: an earlier try had no answer, but was carried out.
    const found = await this.#head(name);
    if (found === undefined) throw new Error(`PUT was answered with ${response.status}${errorText(answer)}`);
    return found.get(md5Header) === md5;
  }

  /** The headers of an object. */
  async #head(name: string): Promise<Headers | undefined> {
    const response = await this.#client.send({ method: 'HEAD', key: this.#key(name) }, [404]);
    return response.status === 404 ? undefined : response.headers;
  }

  #uploads(): Promise<readonly Upload[]> {
    return this.#pages(
      { uploads: '' },
      (xml) =>
        elementsOf(xml, 'Upload').map((one) => ({ key: this.#nameOf(one), id: textsOf(one, 'UploadId')[0] ?? '' })),
      (xml) => ({
        'key-marker': textsOf(xml, 'NextKeyMarker')[0],
        'upload-id-marker': textsOf(xml, 'NextUploadIdMarker')[0],
      }),
      // Some stores say in this way that there are none, or that they do not list them.
      [404, 501],
    );
  }

  /** All pages of a list of the scope. @param none answers that mean that it is empty */
  async #pages<Item>(
    query: Readonly<Record<string, string>>,
    itemsIn: (xml: string) => readonly Item[],
    nextIn: (xml: string) => Readonly<Record<string, string | undefined>>,
    none: readonly number[] = [],
  ): Promise<Item[]> {
    const items: Item[] = [];
    let next: Readonly<Record<string, string>> = {};
    for (;;) {
      const prefix = this.#client.fullKey(this.#key(''));
      const response = await this.#client.send({ method: 'GET', query: { ...query, prefix, ...next } }, none);
      const xml = await response.text();
      if (!response.ok) return items;
      items.push(...itemsIn(xml));
      if (textsOf(xml, 'IsTruncated')[0] !== 'true') return items;
      const markers = Object.entries(nextIn(xml)).filter(([, marker]) => marker !== undefined);
      if (markers.length === 0) throw new Error('a list was cut off, without a word where it goes on');
      next = Object.fromEntries(markers) as Record<string, string>;
    }
  }
}

/** An object that is uploaded in parts. */
class PartUpload {
  readonly #client: S3Client;
  readonly #key: string;
  readonly #id: string;
  readonly #tags: string[] = [];

  private constructor(client: S3Client, key: string, id: string) {
    this.#client = client;
    this.#key = key;
    this.#id = id;
  }

  static async begin(client: S3Client, key: string): Promise<PartUpload> {
    const response = await client.send({ method: 'POST', key, query: { uploads: '' } });
    const [id] = textsOf(await response.text(), 'UploadId');
    if (id === undefined) throw new Error('an upload in parts was begun, and has no id');
    return new PartUpload(client, key, id);
  }

  async add(body: Uint8Array): Promise<void> {
    const query = { partNumber: String(this.#tags.length + 1), uploadId: this.#id };
    const headers = { 'content-md5': md5Of(body) };
    const response = await this.#client.send({ method: 'PUT', key: this.#key, query, headers, body });
    await response.arrayBuffer();
    this.#tags.push(response.headers.get('etag') ?? '');
  }

  /** @returns false if there is an object of that name */
  async complete(): Promise<boolean> {
    const parts = this.#tags.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
    );
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const query = { uploadId: this.#id };
    const headers = { 'if-none-match': '*' };
    const response = await this.#client.send({ method: 'POST', key: this.#key, query, headers, body }, [412]);
    const answer = await response.text();
    if (response.status === 412) {
      await this.abandon();
      return false;
    }
    // It is answered before it is done.
    if (answer.includes('<Error>')) throw new Error(`POST was answered with an error${errorText(answer)}`);
    return true;
  }

  /** Removes its parts. A sweep does it if that fails. */
  async abandon(): Promise<void> {
    await abandon(this.#client, this.#key, this.#id).catch(() => {});
  }
}

async function abandon(client: S3Client, key: string, uploadId: string): Promise<void> {
  await client.send({ method: 'DELETE', key, query: { uploadId } }, [404]);
}

function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** Names that may be removed side by side: a manifest goes alone, before what follows it. */
function groupsOf(names: readonly string[]): string[][] {
  const groups: string[][] = [];
  for (const name of names) {
    const last = groups.at(-1);
    const isAlone = name.endsWith('.manifest') || last?.[0]?.endsWith('.manifest') === true;
    if (last === undefined || isAlone || last.length === removalsAtOnce) groups.push([name]);
    else last.push(name);
  }
  return groups;
}
