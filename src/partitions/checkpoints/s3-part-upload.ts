import { randomUUID } from 'node:crypto';
import { toError } from '../../errors/thrown-value.ts';
import { endMissing, md5Of, refusalOf, type S3Answer, type S3Client, textOf, textsOf } from './s3-client.ts';

/** By it an upload recognizes its object. */
const tokenHeader = 'x-amz-meta-upload';

const resultOf = 'CompleteMultipartUploadResult';

/** An object that is uploaded in parts. */
export class PartUpload {
  readonly #client: S3Client;
  readonly #key: string;
  readonly #id: string;
  readonly #token: string;
  readonly #tags: string[] = [];

  private constructor(client: S3Client, key: string, id: string, token: string) {
    this.#client = client;
    this.#key = key;
    this.#id = id;
    this.#token = token;
  }

  static async begin(client: S3Client, key: string): Promise<PartUpload> {
    const token = randomUUID();
    const answer = await client.send({
      method: 'POST',
      key,
      query: { uploads: '' },
      headers: { [tokenHeader]: token },
    });
    const [id] = textsOf(textOf(answer), 'UploadId');
    if (id === undefined)
      throw new Error(
        'the store began an upload in parts, and gave it no id. Check `endpoint`: does it speak the protocol of S3?',
      );
    return new PartUpload(client, key, id, token);
  }

  async add(body: Uint8Array): Promise<void> {
    const query = { partNumber: String(this.#tags.length + 1), uploadId: this.#id };
    const headers = { 'content-md5': md5Of(body) };
    const answer = await this.#client.send({ method: 'PUT', key: this.#key, query, headers, body });
    this.#tags.push(answer.headers.get('etag') ?? '');
  }

  /** @returns false if there is an object of that name */
  async complete(): Promise<boolean> {
    const refusal = await this.#refusal().catch(toError);
    if (refusal === undefined) return true;
    // It may be this one: an earlier try had no answer, but was carried out.
    const found = await headersOf(this.#client, this.#key);
    if (found === undefined) throw refusal;
    if (found.get(tokenHeader) === this.#token) return true;
    await this.abandon();
    return false;
  }

  /** Removes its parts. A sweep does it if that fails. */
  async abandon(): Promise<void> {
    await abandon(this.#client, this.#key, this.#id).catch(() => {});
  }

  /** Asks for its completion. It is answered before it is done, so that a good status is no success. */
  async #refusal(): Promise<Error | undefined> {
    const parts = this.#tags.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
    );
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const headers = { 'if-none-match': '*' };
    const problemOf = (received: S3Answer): string | undefined =>
      textOf(received).includes('</Error>') ? undefined : endMissing(resultOf)(received);
    const request = {
      method: 'POST',
      key: this.#key,
      query: { uploadId: this.#id },
      headers,
      body,
      problemOf,
    } as const;
    const answer = await this.#client.send(request, [404, 409, 412]);
    return answer.isOk && !textOf(answer).includes('</Error>') ? undefined : refusalOf('POST', answer);
  }
}

/** Removes the parts of an upload, if there are any. */
export async function abandon(client: S3Client, key: string, uploadId: string): Promise<void> {
  await client.send({ method: 'DELETE', key, query: { uploadId } }, [404]);
}

/** The headers of an object; undefined if there is none. */
export async function headersOf(client: S3Client, key: string): Promise<Headers | undefined> {
  const { status, headers } = await client.send({ method: 'HEAD', key }, [404]);
  return status === 404 ? undefined : headers;
}
