import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A local stand-in for a model behind HTTP, which is paid by the call. */
export interface FakeModel {
  readonly url: string;
  /** Calls that were answered, and are on the bill. */
  paid: number;
  /** Calls that were told to come back later. */
  busy: number;
  /** Called with `paid` after each of them. */
  answered: (paid: number) => void;
  close(): Promise<void>;
}

/** Starts one. It refuses empty texts, and every 25th call at first, with a time to wait. */
export async function fakeModel(): Promise<FakeModel> {
  let calls = 0;
  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      if (++calls % 25 === 0) {
        model.busy++;
        response.writeHead(429, { 'retry-after-ms': '20', 'retry-after': '1' }).end();
      } else if (text === '') {
        response.writeHead(400).end('the text is empty');
      } else {
        response.end(JSON.stringify({ label: labelOf(text) }));
        model.answered(++model.paid);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const model: FakeModel = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paid: 0,
    busy: 0,
    answered: () => {},
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return model;
}

/** What it answers. */
export const labelOf = (text: string): string => ['positive', 'negative', 'mixed'][text.length % 3] as string;

async function textOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return (JSON.parse(body) as { readonly text: string }).text;
}
