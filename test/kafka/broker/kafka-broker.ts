import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const version = '3.9.1';

/** Why no broker can be started here; undefined if one can. */
export function missingForBroker(): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (java.error !== undefined) return 'there is no Java. Install a JRE of version 17 or later';
  const major = Number(/version "(\d+)/.exec(java.stderr)?.[1]);
  if (major < 17) return `Java is of version ${major}, and must be of 17 or later`;
  if (existsSync(libraries())) return undefined;
  if (spawnSync('mvn', ['-version']).error !== undefined) {
    return `there is no Maven to download Kafka ${version}. Install it, or put Kafka's jars into ${libraries()}`;
  }
  return undefined;
}

/** Kafka's jars: downloaded once per machine. */
function libraries(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'kintsugi', `kafka-${version}`);
}

function download(): void {
  const target = libraries();
  if (existsSync(target)) return;
  const temporary = `${target}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${temporary}`];
  execFileSync('mvn', ['-q', '-B', '-f', join(import.meta.dirname, 'pom.xml'), ...goal], { stdio: 'inherit' });
  renameSync(temporary, target);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** One node of Apache Kafka, with its data in a directory of its own. It can be stopped, killed and started again. */
export class KafkaBroker {
  readonly address: string;
  readonly #directory: string;
  #process: ChildProcess | undefined;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(): Promise<KafkaBroker> {
    download();
    const directory = mkdtempSync(join(tmpdir(), 'kafka-'));
    const [port, controller] = await freePorts(2);
    const settings = {
      'process.roles': 'broker,controller',
      'node.id': 1,
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'log.dirs': join(directory, 'data'),
      'auto.create.topics.enable': false,
      'offsets.topic.replication.factor': 1,
      'offsets.topic.num.partitions': 1,
      'transaction.state.log.replication.factor': 1,
      'transaction.state.log.min.isr': 1,
      'transaction.state.log.num.partitions': 1,
      'log.cleaner.backoff.ms': 200,
      'log.retention.check.interval.ms': 300,
      'log.initial.task.delay.ms': 300,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(directory, 'server.properties'), lines.join(''));
    const broker = new KafkaBroker(directory, port as number);
    const format = ['kafka.tools.StorageTool', 'format', '-t', 'a2ludHN1Z2kta2Fma2EtMQ', '-c', broker.#settings];
    execFileSync('java', [...broker.#java, ...format], { stdio: 'pipe' });
    await broker.resume();
    return broker;
  }

  /** Starts it again, with the data it has. */
  async resume(): Promise<void> {
    const started = spawn('java', [...this.#java, 'kafka.Kafka', this.#settings], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = started;
    const log = createWriteStream(join(this.#directory, 'log.txt'), { flags: 'a' });
    started.stdout?.pipe(log);
    started.stderr?.pipe(log);
    for (let waited = 0; !(await this.#answers()); waited += 100) {
      if (started.exitCode !== null || waited > 120_000) throw new Error(`Kafka has not started: ${this.#directory}`);
      await pause(100);
    }
  }

  /** `SIGSTOP`: it answers nothing until `SIGCONT`. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal);
  }

  /** As an operator stops it; or, killed, as a machine dies. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const stopped = this.#process;
    if (stopped === undefined) return;
    this.#process = undefined;
    const ended = new Promise((resolve) => stopped.once('exit', resolve));
    stopped.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #settings(): string {
    return join(this.#directory, 'server.properties');
  }

  get #java(): string[] {
    return ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(libraries(), '*')];
  }

  async #answers(): Promise<boolean> {
    const { Admin } = await import('@platformatic/kafka');
    const admin = new Admin({
      clientId: 'starting',
      bootstrapBrokers: [this.address],
      retries: 0,
      connectTimeout: 1000,
    });
    try {
      return (await admin.metadata({ topics: [] })).brokers.size === 1;
    } catch {
      return false;
    } finally {
      await admin.close().catch(() => {});
    }
  }
}
