import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Environment, systemEnvironment } from '../../src/environment.ts';
import type { Sink, SinkWriter } from '../../src/operators/sink.ts';
import { type TestRun, testRun } from '../support/test-run.ts';
import { contextOf } from './subtasks.ts';

export type Named = { readonly name: string };
const named = (text: string): Named[] => text.split(' ').map((name) => ({ name }));

/** A subtask whose attempts and checkpoints a test plays. */
export class PlayedSink {
  readonly path: string;
  readonly #sinkOf: (path: string) => Sink<Named>;
  readonly #sink: Sink<Named>;
  readonly #run: TestRun;
  readonly #environment: Environment;
  #attempt = -1;
  #writer: SinkWriter<Named> | undefined;
  /** Those that were neither ended nor aborted. */
  readonly #killed = new Set<SinkWriter<Named> | undefined>();

  constructor(
    path: string,
    sinkOf: (path: string) => Sink<Named>,
    run: TestRun = testRun(),
    environment: Environment = systemEnvironment(),
  ) {
    this.#environment = environment;
    this.path = path;
    this.#sinkOf = sinkOf;
    this.#sink = sinkOf(path);
    this.#run = run;
  }

  /** Of the latest attempt, as long as it runs. */
  get writer(): SinkWriter<Named> | undefined {
    return this.#writer;
  }

  /** A new attempt. @param restored what was prepared, as the state of a checkpoint has it */
  async open(restored: readonly unknown[] = []): Promise<void> {
    this.#killed.add(this.#writer);
    for (const prepared of restored) await this.commit(prepared);
    this.#writer = await this.#sink.open(
      contextOf({ run: this.#run, attempt: ++this.#attempt, environment: this.#environment }),
      restored.at(-1),
    );
  }

  async write(text: string): Promise<void> {
    await this.#writer?.write(named(text));
  }

  /** Plain data, as states are. */
  async barrier(): Promise<unknown> {
    return structuredClone(await this.#writer?.prepareCheckpoint?.());
  }

  async commit(prepared: unknown): Promise<void> {
    await this.#sink.commitPrepared?.(prepared);
  }

  async finish(): Promise<void> {
    await this.#writer?.prepare?.();
    await this.#writer?.commit();
    this.#writer = undefined;
  }

  async fail(): Promise<void> {
    await this.#writer?.abort();
    this.#writer = undefined;
  }

  /** The visible files, without their directory. */
  files(): string[] {
    const directory = dirname(this.path);
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  }

  /** The files that wait for a checkpoint, or for the next attempt. */
  pending(): string[] {
    const directory = join(dirname(this.path), `.${basename(this.path)}.pending`);
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  /** The run ends, and may be continued: another one follows, which knows what was prepared. */
  async stop(): Promise<PlayedSink> {
    await this.#writer?.abort();
    this.#run.outputs.release({ keepsPending: true });
    return new PlayedSink(this.path, this.#sinkOf, testRun(), this.#environment);
  }

  async end(): Promise<void> {
    // Closes their files.
    for (const writer of this.#killed.add(this.#writer)) await writer?.abort();
    this.#run.end();
    expect(readdirSync(dirname(this.path)).filter((name) => name.startsWith('.'))).toEqual([]);
  }
}
