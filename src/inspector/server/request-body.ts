import { RefusedRequest } from './answer.ts';

/** Maximum bytes of a body: those of the API have a few fields. */
const mostBytes = 64 * 1_024;

/**
 * The body of a request as an object; empty if there is none. A body that announces too many bytes is not read at all,
 * and another one only to the limit.
 * @throws RefusedRequest
 */
export async function jsonBody(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const text = await boundedText(request);
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RefusedRequest(400, 'The body is not JSON', 'Send an object, such as `{ "task": "map[2]" }`.');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new RefusedRequest(400, 'The body is not an object', 'Send an object, such as `{ "task": "map[2]" }`.');
}

async function boundedText({ headers, body }: Request): Promise<string> {
  if (Number(headers.get('content-length') ?? 0) > mostBytes) throw tooLarge();
  if (body === null) return '';
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > mostBytes) {
      // Not awaited: a sender that stalls would delay the answer.
      void reader.cancel().catch(() => {});
      throw tooLarge();
    }
    text += decoder.decode(value, { stream: true });
  }
}

function tooLarge(): RefusedRequest {
  return new RefusedRequest(
    413,
    `The body has more than ${mostBytes} bytes`,
    'No call of the inspector needs as many.',
  );
}
