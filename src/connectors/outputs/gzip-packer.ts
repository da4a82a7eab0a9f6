import { createGzip, type Gzip } from 'node:zlib';
import type { Environment } from '../../environment.ts';

/** Compresses bytes into one gzip member, on another thread. The same bytes give the same result. */
export class GzipPacker {
  readonly #environment: Pick<Environment, 'hold'>;
  readonly #gzip: Gzip = createGzip();
  #packed: Buffer[] = [];

  constructor(environment: Pick<Environment, 'hold'>) {
    this.#environment = environment;
    this.#gzip.on('data', (chunk: Buffer) => this.#packed.push(chunk));
  }

  /** Compresses `bytes`; resolves to the output that is ready. */
  pack(bytes: Uint8Array): Promise<readonly Buffer[]> {
    return this.#until((done) => this.#gzip.write(bytes, done));
  }

  /** Ends the member; resolves to the remaining output. */
  end(): Promise<readonly Buffer[]> {
    return this.#until((done) => {
      this.#gzip.once('end', () => done());
      this.#gzip.end();
    });
  }

  close(): void {
    this.#gzip.destroy();
  }

  async #until(work: (done: (error?: Error | null) => void) => void): Promise<readonly Buffer[]> {
    const release = this.#environment.hold?.();
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (error: Error): void => reject(error);
        this.#gzip.once('error', fail);
        work((error) => {
          this.#gzip.off('error', fail);
          if (error instanceof Error) reject(error);
          else resolve();
        });
      });
    } finally {
      release?.();
    }
    const packed = this.#packed;
    this.#packed = [];
    return packed;
  }
}
