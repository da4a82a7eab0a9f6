import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { s3Checkpoints, type S3CheckpointsOptions } from '../../../src/partitions/checkpoints/s3-checkpoints.ts';
import { S3CheckpointFiles } from '../../../src/partitions/checkpoints/s3-checkpoint-files.ts';
import { S3Client } from '../../../src/partitions/checkpoints/s3-client.ts';
import { type CheckpointRig, rigOf } from './checkpoint-rigs.ts';

/** Where gofakes3 is, a server that speaks the protocol of S3: on the PATH, or where `go install` puts it. */
export const gofakes3Path = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  process.env['GOBIN'] ?? '',
  join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'),
]
  .map((directory) => join(directory, 'gofakes3'))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Why S3 is not tested. */
export const withoutGofakes3 =
  's3Checkpoints is not tested: there is no gofakes3 (go install github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0)\n';

/** A store in the memory of a process. */
export class S3Server {
  #process: ChildProcess | undefined;
  #port = 0;
  #rigs = 0;

  async start(): Promise<void> {
    if (gofakes3Path === undefined) throw new Error(withoutGofakes3);
    const options = ['-backend', 'memory', '-host', '127.0.0.1:0', '-initialbucket', 'checkpoints'];
    const server = spawn(gofakes3Path, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = server;
    await new Promise<void>((resolve, reject) => {
      let log = '';
      server.stderr.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        this.#port = Number(/using port: (\d+)/.exec(log)?.[1] ?? 0);
        if (this.#port > 0) resolve();
      });
      server.on('exit', (code) => reject(new Error(`gofakes3 ended with ${code}: ${log}`)));
    });
  }

  async stop(): Promise<void> {
    const server = this.#process;
    if (server === undefined) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill();
    await ended;
  }

  /** Of this server, with keys, which it does not look at. */
  options(prefix = '') {
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
    return { bucket: 'checkpoints', prefix, region: 'here', endpoint: this.url, credentials };
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** An empty storage. */
  rig(): CheckpointRig {
    const client = new S3Client(this.options(`rig & ${++this.#rigs}/`));
    return rigOf((scope) => new S3CheckpointFiles(client, scope));
  }

  storage(options: Partial<S3CheckpointsOptions> = {}): ReturnType<typeof s3Checkpoints> {
    return s3Checkpoints({ ...this.options(`storage ${++this.#rigs}/`), ...options });
  }

  files(): { readonly files: S3CheckpointFiles; readonly client: S3Client } {
    const client = new S3Client(this.options(`files ${++this.#rigs}/`));
    return { client, files: new S3CheckpointFiles(client, 'run') };
  }
}
