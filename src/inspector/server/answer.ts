/**
 * Headers of every answer. The page loads nothing from elsewhere, runs no inline script, is in nobody's frame, and its
 * address, which has the token, is not passed on. No other site may read an answer: there is no CORS header.
 */
const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** An answer with the security headers. Not cached, unless `headers` say otherwise. */
export function answer(
  body: ConstructorParameters<typeof Response>[0],
  {
    status = 200,
    headers = {},
  }: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  return new Response(body, { status, headers: { 'cache-control': 'no-store', ...securityHeaders, ...headers } });
}

/** Plain text, for people. */
export function textAnswer(text: string, status = 200): Response {
  return answer(text, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

/** JSON. Values that JSON does not know are written as {@link toJson} says. */
export function jsonAnswer(value: unknown, status = 200): Response {
  return answer(toJson(value), { status, headers: { 'content-type': 'application/json' } });
}

/** JSON in which infinite numbers are null, as JSON has it, and big integers are text. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}` : part));
}

/** Why a request is not granted, and what to do. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly remedy: string;
}

/** A refusal, thrown inside the handler of a route. */
export class RefusedRequest extends Error implements Refusal {
  override readonly name = 'RefusedRequest';
  readonly status: number;
  readonly error: string;
  readonly remedy: string;

  constructor(status: number, error: string, remedy: string) {
    super(`${error}. ${remedy}`);
    this.status = status;
    this.error = error;
    this.remedy = remedy;
  }
}

/** The answer to a refused request: `{ error, remedy }`. */
export function refusalAnswer({ status, error, remedy }: Refusal): Response {
  return jsonAnswer({ error, remedy }, status);
}
