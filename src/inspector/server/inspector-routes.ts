import type { JobMetrics } from '../../metrics/job-metrics.ts';
import { wires } from '../wires/wire-server.ts';
import type { AccessNeeds } from './access.ts';
import { answer, jsonAnswer, RefusedRequest, textAnswer } from './answer.ts';
import type { InspectedRun } from './runs/inspected-run.ts';
import type { PageFiles } from './page-files.ts';
import { upgradeRequired } from './node-upgrade.ts';
import { jsonBody } from './request-body.ts';
import type { Route, RouteCall } from './route.ts';
import { runActions } from './runs/run-actions.ts';
import type { ListedRun, RunList } from './runs/run-list.ts';

/** What the routes need. */
export interface RoutesContext {
  readonly runs: RunList;
  readonly files: PageFiles;
  readonly metrics: JobMetrics;
  /** Whether runs may be broken on purpose. */
  readonly allowBreaking: boolean;
}

const forPage: AccessNeeds = { token: true, isPage: true };
const forAssets: AccessNeeds = { token: false, isPage: false };
const forCalls: AccessNeeds = { token: true, isPage: false };

/** Everything that the inspector answers. */
export function inspectorRoutes(context: RoutesContext): Route[] {
  const { files, metrics } = context;
  return [...pageRoutes(files), ...runRoutes(context), metricsRoute(metrics), wireRoute];
}

function metricsRoute(metrics: JobMetrics): Route {
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
  return {
    method: 'GET',
    path: '/metrics',
    needs: forCalls,
    answer: () => answer(metrics.toPrometheus(), { headers }),
  };
}

/** The answer to those who may open a wire, but have not asked to upgrade. */
const wireRoute: Route = {
  method: 'GET',
  path: '/wires/:wire',
  needs: forCalls,
  answer: ({ params }) => {
    if (Object.hasOwn(wires, params['wire'] as string)) {
      return textAnswer('This is a WebSocket. See docs/inspector.', upgradeRequired);
    }
    throw new RefusedRequest(404, 'There is no such wire', `There are ${Object.keys(wires).join(' and ')}.`);
  },
};

function pageRoutes(files: PageFiles): Route[] {
  const asset = async ({ params }: RouteCall): Promise<Response> =>
    (await files.asset(`assets/${params['*']}`)) ?? textAnswer('The page has no such file.', 404);
  return [
    { method: 'GET', path: '/', needs: forPage, answer: () => files.page() },
    { method: 'GET', path: '/assets/*', needs: forAssets, answer: asset },
  ];
}

function runRoutes({ runs, allowBreaking }: RoutesContext): Route[] {
  const get = (path: string, answered: (listed: ListedRun, call: RouteCall) => Response): Route => ({
    method: 'GET',
    path: `/api/runs/:run/${path}`,
    needs: forCalls,
    answer: (call) => answered(runOf(runs, call), call),
  });
  /** Answered without content, because what follows is in the lines of the run. */
  const post = (
    path: string,
    act: (listed: ListedRun, body: Body, call: RouteCall) => Promise<void> | void,
  ): Route => ({
    method: 'POST',
    path: `/api/runs/:run/${path}`,
    needs: forCalls,
    answer: async (call) => {
      const listed = runOf(runs, call);
      await act(listed, await jsonBody(call.request), call);
      return jsonAnswer({}, 202);
    },
  });
  return [
    {
      method: 'GET',
      path: '/api/runs',
      needs: forCalls,
      answer: () => jsonAnswer(runs.all().map(({ run }) => run.summary())),
    },
    get('lines', ({ feed }, { request }) => lines(feed.open(lastSeenBy(request)))),
    get('recording', ({ run }) => recording(run.run, run.recording())),
    get('receipt', ({ run }) => {
      const receipt = run.receipt();
      return jsonAnswer({ ...receipt, text: receipt.toString() });
    }),
    get('restarts', ({ run }, { url }) => {
      const scope = run.whatRestarts(nameIn(url));
      return jsonAnswer({ ...scope, text: scope.toString() });
    }),
    post('focus', ({ run }, body) => run.focus(actorIn(body))),
    post('actions/:action', ({ run }, body, { params }) => act(run, params['action'] as string, body, allowBreaking)),
  ];
}

/** @throws RefusedRequest (as a rejection) */
async function act(run: InspectedRun, name: string, body: Body, allowBreaking: boolean): Promise<void> {
  const action = runActions.get(name);
  if (action === undefined) {
    throw new RefusedRequest(404, `There is no action ${name}`, `There are ${[...runActions.keys()].join(', ')}.`);
  }
  if (action.breaks && !allowBreaking) {
    throw new RefusedRequest(
      403,
      `The action ${name} breaks the run on purpose, which is off where NODE_ENV is "production"`,
      'Start the inspector with `allowBreaking: true` if it is meant to be on.',
    );
  }
  if (run.summary().endedAtMs !== undefined) {
    throw new RefusedRequest(409, 'The run has ended', 'Run the job again.');
  }
  await action.act(run.subject, body);
}

type Body = Readonly<Record<string, unknown>>;

function runOf(runs: RunList, { params }: RouteCall): ListedRun {
  const listed = runs.get(params['run'] as string);
  if (listed !== undefined) return listed;
  throw new RefusedRequest(404, 'The inspector does not know this run', '`GET api/runs` lists the runs it knows.');
}

/** EventSource comes again when a stream ends; it stops when there is nothing more. */
function lines(stream: ReadableStream<Uint8Array> | undefined): Response {
  if (stream === undefined) return answer(undefined, { status: 204 });
  return answer(stream, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } });
}

function lastSeenBy({ headers }: Request): number | undefined {
  const given = headers.get('last-event-id');
  return given !== null && /^\d{1,15}$/.test(given) ? Number(given) : undefined;
}

function recording(run: string, jsonLines: Iterable<string>): Response {
  const encoder = new TextEncoder();
  const each = jsonLines[Symbol.iterator]();
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const { done, value } = each.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(`${value}\n`));
    },
  });
  const headers = {
    'content-type': 'application/jsonl; charset=utf-8',
    'content-disposition': `attachment; filename="${run.replace(/[^\w.-]/g, '_')}.jsonl"`,
  };
  return answer(stream, { headers });
}

function nameIn(url: URL): string {
  const name = url.searchParams.get('name');
  if (name !== null) return name;
  throw new RefusedRequest(400, 'No name is given', 'Ask with `?name=map[2]`.');
}

function actorIn({ actor }: Body): string | null {
  if (actor === null || typeof actor === 'string') return actor;
  throw new RefusedRequest(400, 'The body has no valid `actor`', 'Send `actor`: the id of an actor, or null for none.');
}
