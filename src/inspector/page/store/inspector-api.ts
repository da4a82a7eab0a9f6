import type { RestartScope } from '../../../api/explain/restart-scope.ts';

/** A run that the server knows. */
export interface ListedRun {
  readonly run: string;
  readonly job: string;
  readonly status: string;
  readonly startedAtMs: number;
  /** Absent while it runs. */
  readonly endedAtMs?: number;
}

/** What a button does, and what it is about. */
export type RunAction =
  | { readonly action: 'cancel'; readonly body: Record<never, never> }
  | { readonly action: 'restart-region' | 'skip-backoff' | 'release'; readonly body: { readonly region?: number } }
  | { readonly action: 'restart-task' | 'fail-task'; readonly body: { readonly task: string } }
  | { readonly action: 'lose-partition'; readonly body: { readonly partition: number } }
  | { readonly action: 'drain-executor' | 'lose-executor'; readonly body: { readonly executor: string } }
  | { readonly action: 'savepoint' | 'stop-with-savepoint'; readonly body: { readonly directory: string } }
  | { readonly action: 'fill-disk'; readonly body: { readonly on: boolean } }
  | { readonly action: 'slow-consumer'; readonly body: { readonly task: string; readonly delayMs: number } };

/** The server refused, or did not answer. */
export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';
  readonly status: number;
  readonly remedy: string | undefined;

  constructor(status: number, message: string, remedy: string | undefined) {
    super(message);
    this.status = status;
    this.remedy = remedy;
  }
}

interface Post {
  readonly method: 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The inspector's server, at the address of the page. Each request carries the token of the page's address. */
export class InspectorApi {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  async runs(): Promise<readonly ListedRun[]> {
    return (await this.#json('api/runs')) as readonly ListedRun[];
  }

  async restarts(run: string, name: string): Promise<RestartScope> {
    return (await this.#json(`api/runs/${run}/restarts?name=${encodeURIComponent(name)}`)) as RestartScope;
  }

  async recording(run: string): Promise<string> {
    return (await this.#fetch(`api/runs/${run}/recording`)).text();
  }

  async receipt(run: string): Promise<{ readonly text: string }> {
    return (await this.#json(`api/runs/${run}/receipt`)) as { readonly text: string };
  }

  async focus(run: string, actor: string | null): Promise<void> {
    await this.#post(`api/runs/${run}/focus`, { actor });
  }

  async act(run: string, { action, body }: RunAction): Promise<void> {
    await this.#post(`api/runs/${run}/actions/${action}`, body);
  }

  /** The lines of a run, as they come. `EventSource` cannot send headers, so the token is in the address. */
  lines(run: string): EventSource {
    return new EventSource(`api/runs/${run}/lines?token=${encodeURIComponent(this.#token)}`);
  }

  async #json(path: string): Promise<unknown> {
    return (await this.#fetch(path)).json();
  }

  async #post(path: string, body: unknown): Promise<void> {
    await this.#fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async #fetch(path: string, init?: Post): Promise<Response> {
    const headers = { ...init?.headers, authorization: `Bearer ${this.#token}` };
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch {
      throw new RefusedRequest(
        0,
        'The inspector does not answer',
        'Its process may have ended; the page keeps what it knows',
      );
    }
    if (response.ok) return response;
    const { error, remedy } = (await response.json().catch(() => ({}))) as { error?: string; remedy?: string };
    throw new RefusedRequest(response.status, error ?? `The inspector answered ${response.status}`, remedy);
  }
}
