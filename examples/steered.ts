import type { JobRun } from 'kintsugi';
import { inspector } from 'kintsugi/inspect';

/** Calls an action of the inspector, as a button of its page does: `act('fail-task', { task: 'map[2]' })`. */
export type Act = (action: string, body: Readonly<Record<string, unknown>>) => Promise<void>;

/** Steers a run without a page or a server: by the calls that are described in docs/inspector/server.md. */
export async function steered(run: JobRun): Promise<Act> {
  // Examples run as in production, where breaking a run has to be meant.
  const page = inspector({ allowBreaking: true });
  page.add(run);
  const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const headers = { authorization: `Bearer ${page.token}`, 'content-type': 'application/json' };
    const answer = await page.fetch(new Request(`http://localhost/api/runs${path}`, { ...init, headers }));
    const answered: unknown = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(answered)}`);
    return answered;
  };
  const [{ run: id }] = (await call('')) as [{ readonly run: string }];
  return async (action, body) => {
    await call(`/${id}/actions/${action}`, { method: 'POST', body: JSON.stringify(body) });
  };
}
