import { jobMetrics } from '../../metrics/job-metrics.ts';
import type { JobRun } from '../../run/job-run.ts';
import { WireServer } from '../wires/wire-server.ts';
import { Access } from './access.ts';
import { type InspectorOptions, resolveInspectorOptions } from './inspector-options.ts';
import type { ReadRecording } from '../recording/recording-text.ts';
import { liveRun } from './runs/live-run.ts';
import { type UpgradeHandler, upgradeHandler } from './node-upgrade.ts';
import { PageFiles } from './page-files.ts';
import { RequestHandler } from './request-handler.ts';
import { isRecording, recordedRun } from './runs/recorded-run.ts';
import { RunList } from './runs/run-list.ts';
import { inspectorRoutes } from './inspector-routes.ts';

/** An inspector to mount in a server: the page, and the calls that the page makes. */
export interface Inspector {
  /**
   * Answers a web-standard request; never rejects. Bound, so that it can be passed on: `app.mount('/inspector', fetch)`.
   */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Opens the wires of XState's inspectors, `/wires/stately` and `/wires/xstate-inspect`, for servers of `node:http`:
   * `server.on('upgrade', page.upgrade)`. Needs the package `ws`.
   */
  readonly upgrade: UpgradeHandler;
  /** What requests must have: `?token=…`, or the header `Authorization: Bearer …`. */
  readonly token: string;
  /** Shows a run, or a recording of one (`await readRecording('run.jsonl')`). Returns how to show it no longer. */
  add(run: JobRun | ReadRecording): () => void;
  /** The link to open, for a server at `origin`: `http://localhost:3000`. */
  linkAt(origin: string): string;
}

/**
 * An inspector for a server that you have. {@link inspect} starts a server for it.
 *
 * @throws InvalidArgumentError for an invalid option
 */
export function inspector(options: InspectorOptions = {}): Inspector {
  const { basePath, token, allowedHosts, allowBreaking, allowSend, redact } = resolveInspectorOptions(options);
  const runs = new RunList();
  const metrics = jobMetrics();
  const routes = inspectorRoutes({ runs, files: new PageFiles(), metrics, allowBreaking });
  const handler = new RequestHandler(basePath, new Access(token, allowedHosts), routes);
  const wires = new WireServer({ runs: () => runs.all().flatMap(({ run }) => run.watched ?? []), redact, allowSend });
  const fetch = (request: Request): Promise<Response> => handler.answer(request);
  return {
    token,
    fetch,
    upgrade: upgradeHandler(fetch, wires),
    add: (run) => {
      if (isRecording(run)) {
        const recorded = recordedRun(run);
        runs.add(recorded);
        return () => runs.remove(recorded.run);
      }
      const live = liveRun(run, redact);
      if (runs.add(live)) {
        metrics.watch(run);
        wires.add(live.watched);
      }
      return () => runs.remove(live.run);
    },
    linkAt: (origin) => `${origin}${basePath}/?token=${token}`,
  };
}
