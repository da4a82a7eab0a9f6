import type { JobRun } from '../../run/job-run.ts';
import type { ReadRecording } from '../recording/recording-text.ts';
import { checkInspectOptions, type InspectOptions } from './inspector-options.ts';
import { InspectorServer } from './inspector-server.ts';

/** A run that is shown by a server of this process. */
export interface Inspection extends AsyncDisposable {
  /** The link to open in a browser. It has the token: whoever knows it can steer the run. */
  readonly url: string;
  /** Shows the run no longer; the server closes with its last run. */
  close(): Promise<void>;
}

/** The servers of this process, by their port and the one that was asked for. As ports are, it is one for the process. */
const servers = new Map<number, Promise<InspectorServer>>();

/**
 * Shows a run, or a recording of one (`await readRecording('run.jsonl')`), in the inspector: starts a server on this machine, or joins the one that this process has at the same
 * port, and says where it is. It costs nothing until somebody opens the page, and never keeps a process alive that has
 * finished, unless `keepOpen`.
 *
 * @throws InvalidArgumentError for an invalid option, or one that differs from that of the server it joins (as a
 *   rejection)
 * @throws PortInUseError if something else has the port (as a rejection)
 */
export async function inspect(run: JobRun | ReadRecording, options: InspectOptions = {}): Promise<Inspection> {
  checkInspectOptions(options);
  const server = await serverAt(options);
  const remove = server.add(run);
  const close = async (): Promise<void> => {
    remove();
    if (server.isEmpty) await server.close();
  };
  return { url: server.url, close, [Symbol.asyncDispose]: close };
}

/** The server of this process at a port: the one there is, or a new one. */
async function serverAt(options: InspectOptions): Promise<InspectorServer> {
  const { port = 0 } = options;
  for (;;) {
    const known = servers.get(port);
    if (known === undefined) return opened(port, options);
    const server = await known;
    // It may have closed in the meantime.
    if (server.isClosed) continue;
    server.checkSame(options);
    return server;
  }
}

async function opened(port: number, options: InspectOptions): Promise<InspectorServer> {
  const opening = InspectorServer.open(options);
  const forget = (): void => {
    for (const [known, server] of servers) if (server === opening) servers.delete(known);
  };
  servers.set(port, opening);
  try {
    const server = await opening;
    servers.set(server.port, opening);
    server.onClose(forget);
    return server;
  } catch (error) {
    forget();
    throw error;
  }
}
