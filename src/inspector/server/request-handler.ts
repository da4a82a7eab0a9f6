import { KintsugiError } from '../../errors/kintsugi-error.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { Access, AccessNeeds, AccessRequest } from './access.ts';
import { answer, RefusedRequest, refusalAnswer } from './answer.ts';
import { findRoute, type Route } from './route.ts';

/** Answers requests: finds the route below the base path, asks whether it may be called, and calls it. */
export class RequestHandler {
  readonly #basePath: string;
  readonly #access: Access;
  readonly #routes: readonly Route[];

  /** @param basePath without a slash at its end: `/inspector`; empty for the root */
  constructor(basePath: string, access: Access, routes: readonly Route[]) {
    this.#basePath = basePath;
    this.#access = access;
    this.#routes = routes;
  }

  /** Never rejects. */
  async answer(request: Request): Promise<Response> {
    try {
      const answered = await this.#answer(request);
      return request.method === 'HEAD' ? withoutBody(answered) : answered;
    } catch (error) {
      return refusalAnswer(refusalFor(error));
    }
  }

  #answer(request: Request): Response | Promise<Response> {
    const url = new URL(request.url);
    const path = this.#pathBelow(url.pathname);
    if (path === '') return this.#toPage(request, url);
    const found = path === undefined ? { kind: 'nothing' as const } : findRoute(this.#routes, request.method, path);
    // What exists is said only to those who may know.
    this.#check(
      { url, headers: request.headers },
      found.kind === 'route' ? found.route.needs : { token: true, isPage: false },
    );
    if (found.kind === 'nothing') {
      throw new RefusedRequest(404, 'There is nothing here', 'docs/inspector lists the calls of the inspector.');
    }
    if (found.kind === 'other method') {
      return answer(undefined, { status: 405, headers: { allow: found.allowed.join(', ') } });
    }
    return found.route.answer({ request, url, params: found.params });
  }

  /** The links of the page are relative to a path that ends with a slash. */
  #toPage(request: Request, url: URL): Response {
    this.#check({ url, headers: request.headers }, { token: true, isPage: true });
    return answer(undefined, { status: 308, headers: { location: `${url.pathname}/${url.search}` } });
  }

  #check(request: AccessRequest, needs: AccessNeeds): void {
    const refusal = this.#access.refusalOf(request, needs);
    if (refusal !== undefined) throw new RefusedRequest(refusal.status, refusal.error, refusal.remedy);
  }

  #pathBelow(path: string): string | undefined {
    if (path !== this.#basePath && !path.startsWith(`${this.#basePath}/`)) return undefined;
    return path.slice(this.#basePath.length);
  }
}

function withoutBody(full: Response): Response {
  void full.body?.cancel();
  return new Response(null, { status: full.status, headers: full.headers });
}

function refusalFor(error: unknown): RefusedRequest {
  if (error instanceof RefusedRequest) return error;
  const { message } = toError(error);
  if (!(error instanceof KintsugiError)) {
    return new RefusedRequest(500, message, 'This is a bug of the inspector; the job is not affected.');
  }
  return error.code === 'INVALID_ARGUMENT'
    ? new RefusedRequest(400, message, 'Correct what was sent.')
    : new RefusedRequest(409, message, 'Look at the run, and try again.');
}
