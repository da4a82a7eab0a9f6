import type { AccessNeeds } from './access.ts';

/** A call of a route. */
export interface RouteCall {
  readonly request: Request;
  readonly url: URL;
  /** What stands in the path at the names of the route. */
  readonly params: Readonly<Record<string, string>>;
}

/** What answers the requests of one method at one kind of path. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** `/api/runs/:run/lines`; a last `*` stands for any rest of the path. */
  readonly path: string;
  readonly needs: AccessNeeds;
  readonly answer: (call: RouteCall) => Response | Promise<Response>;
}

/** What a path leads to. */
export type FoundRoute =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'other method'; readonly allowed: readonly string[] }
  | { readonly kind: 'nothing' };

/** Finds the route of a request. `HEAD` is answered as `GET`. */
export function findRoute(routes: readonly Route[], method: string, path: string): FoundRoute {
  const here = routes.flatMap((route) => {
    const params = paramsOf(route.path, path);
    return params === undefined ? [] : [{ route, params }];
  });
  if (here.length === 0) return { kind: 'nothing' };
  const wanted = method === 'HEAD' ? 'GET' : method;
  const found = here.find(({ route }) => route.method === wanted);
  if (found !== undefined) return { kind: 'route', ...found };
  return { kind: 'other method', allowed: here.map(({ route }) => route.method) };
}

function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    if (part === '*') {
      const rest = decoded(given.slice(index).join('/'));
      if (rest === undefined || rest === '') return undefined;
      params['*'] = rest;
      return params;
    }
    const value = given[index];
    if (value === undefined) return undefined;
    if (!part.startsWith(':')) {
      if (value !== part) return undefined;
      continue;
    }
    const name = decoded(value);
    if (name === undefined || name === '') return undefined;
    params[part.slice(1)] = name;
  }
  return given.length === wanted.length ? params : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
