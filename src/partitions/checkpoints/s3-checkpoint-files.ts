import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts';
import { partSuffix } from './disk-checkpoint-files.ts';
import {
  attempts,
  elementsOf,
  endMissing,
  md5Of,
  refusalOf,
  type S3Answer,
  type S3Client,
  textOf,
  textsOf,
} from './s3-client.ts';
import { abandon, headersOf, PartUpload } from './s3-part-upload.ts';

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
      'ListBucketResult',
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
      if ((await headersOf(this.#client, this.#key(name))) === undefined) return await upload.complete();
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

  /** What the store says of an object as a whole tells whether it was damaged on the way: then it is read again. */
  async #fetch(name: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const range = `bytes=${offset}-${offset + length - 1}`;
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#client.send(
        { method: 'GET', key: this.#key(name), headers: { range }, problemOf: missingPartOf },
        [404, 416],
      );
      const { status, body } = answer;
      if (status === 404) {
        // Also a bucket, or a proxy in front of the store, says so.
        if (!textsOf(textOf(answer), 'Code').includes('NoSuchKey')) throw refusalOf('GET', answer);
        return undefined;
      }
      // It ends before.
      if (status === 416) return new Uint8Array();
      if (!isDamaged(answer) || attempt === attempts) {
        // A store may ignore the range.
        return status === 206 ? body : body.slice(offset, offset + length);
      }
    }
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
    const answer = await this.#client.send({ method: 'PUT', key: this.#key(name), headers, body }, [409, 412]);
    if (answer.isOk) return true;
    // It may be this one: an earlier try had no answer, but was carried out.
    const found = await headersOf(this.#client, this.#key(name));
    if (found === undefined) throw refusalOf('PUT', answer);
    return found.get(md5Header) === md5;
  }

  #uploads(): Promise<readonly Upload[]> {
    return this.#pages(
      'ListMultipartUploadsResult',
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

  /** All pages of a list of the scope. @param element of a page @param none answers that mean that it is empty */
  async #pages<Item>(
    element: string,
    query: Readonly<Record<string, string>>,
    itemsIn: (xml: string) => readonly Item[],
    nextIn: (xml: string) => Readonly<Record<string, string | undefined>>,
    none: readonly number[] = [],
  ): Promise<Item[]> {
    const items: Item[] = [];
    let next: Readonly<Record<string, string>> = {};
    for (;;) {
      const prefix = this.#client.fullKey(this.#key(''));
      const request = { method: 'GET', query: { ...query, prefix, ...next }, problemOf: endMissing(element) } as const;
      const answer = await this.#client.send(request, none);
      if (!answer.isOk) return items;
      const xml = textOf(answer);
      items.push(...itemsIn(xml));
      if (textsOf(xml, 'IsTruncated')[0] !== 'true') return items;
      const markers = Object.entries(nextIn(xml)).filter(([, marker]) => marker !== undefined);
      if (markers.length === 0)
        throw new Error(
          'the store says that its list goes on, and not where. Check `endpoint`: does it speak the protocol of S3?',
        );
      next = Object.fromEntries(markers) as Record<string, string>;
    }
  }
}

/** Whether an object that was read as a whole is not what was written. That of an upload in parts does not tell. */
function isDamaged({ status, headers, body }: S3Answer): boolean {
  const md5 = headers.get(md5Header);
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
  const isWhole = status === 200 || (first === '0' && Number(total) === body.length);
  return md5 !== null && isWhole && md5Of(body) !== md5;
}

function missingPartOf({ headers, body }: S3Answer): string | undefined {
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(headers.get('content-range') ?? '') ?? [];
  const bytes = Number(last) - Number(first) + 1;
  return last === undefined || bytes === body.length ? undefined : `${body.length} of ${bytes} bytes came`;
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
