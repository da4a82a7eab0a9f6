import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspector, nodeHandler } from '../../../src/inspector/index.ts';
import { PageFiles } from '../../../src/inspector/server/page-files.ts';
import type { JobRun } from '../../../src/index.ts';

/** An inspector with a page that was built elsewhere than in `dist`, which another test may be building. */
export interface ServedPage {
  readonly origin: string;
  /** With its token. */
  readonly url: string;
  close(): Promise<void>;
}

export async function servePage(directory: string, ...runs: readonly JobRun[]): Promise<ServedPage> {
  const files = new PageFiles(directory);
  const { fetch, ...page } = inspector();
  for (const run of runs) page.add(run);
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname === '/') return files.page();
    if (!pathname.startsWith('/assets/')) return fetch(request);
    return (await files.asset(pathname.slice(1))) ?? new Response(undefined, { status: 404 });
  };
  const server = createServer(nodeHandler({ fetch: answer }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    url: page.linkAt(origin),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
