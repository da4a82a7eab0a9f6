import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Refusal } from './answer.ts';

/**
 * Who may talk to an inspector. It listens on this machine alone, but any page in a browser on this machine can send
 * requests to it, so each request is examined:
 *
 * - IA1 Its host must be allowed. A foreign name that was made to lead here (DNS rebinding) is not.
 * - IA2 It must not come from another origin: neither its `Origin` nor its `Sec-Fetch-Site` says so.
 * - IA3 It must have the token, except for the files of the page, which are the same for everybody.
 */
export class Access {
  readonly #tokenHash: Uint8Array;
  readonly #hosts: ReadonlySet<string>;

  constructor(token: string, allowedHosts: readonly string[]) {
    this.#tokenHash = hashOf(token);
    this.#hosts = new Set([...loopbackHosts, ...allowedHosts.map((host) => host.toLowerCase())]);
  }

  /** Why the request is refused; undefined if it is granted. */
  refusalOf({ url, headers }: AccessRequest, needs: AccessNeeds): Refusal | undefined {
    const host = headers.get('host') ?? url.host;
    const hostname = hostnameOf(`http://${host}`);
    if (hostname === undefined || !this.#hosts.has(hostname)) {
      return {
        status: 403,
        error: `The host ${JSON.stringify(host)} is not allowed`,
        remedy: 'Use the link that was printed, or name the host in `allowedHosts` of the inspector.',
      };
    }
    if (isFromElsewhere(headers, host, needs)) {
      return {
        status: 403,
        error: 'The request comes from a page of another origin',
        remedy: 'Only the page of the inspector itself, and programs that are not in a browser, may call it.',
      };
    }
    if (!needs.token || this.#isToken(givenToken(url, headers))) return undefined;
    return {
      status: 401,
      error: 'The token is missing or is not that of this inspector',
      remedy: 'Open the link that was printed, or send the header `Authorization: Bearer <token>`.',
    };
  }

  /** Compares hashes, in constant time: neither the length nor a right beginning shows. */
  #isToken(given: string | undefined): boolean {
    return given !== undefined && timingSafeEqual(hashOf(given), this.#tokenHash);
  }
}

/** The parts of a request that say where it comes from. */
export interface AccessRequest {
  readonly url: URL;
  readonly headers: Pick<Headers, 'get'>;
}

/** What a route asks of a request. */
export interface AccessNeeds {
  readonly token: boolean;
  /** Whether a link on any page may lead here. */
  readonly isPage: boolean;
}

/**
 * A new token. From the system's source of secrets, not from the environment of a run: that one may be reproducible,
 * and a token that can be guessed is none.
 */
export function drawToken(): string {
  return randomBytes(24).toString('base64url');
}

const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

function isFromElsewhere(headers: Pick<Headers, 'get'>, host: string, { isPage }: AccessNeeds): boolean {
  const origin = headers.get('origin');
  // The host has to be the same; behind a proxy that ends TLS, the scheme is not.
  if (origin !== null && hostOf(origin) !== hostOf(`http://${host}`)) return true;
  const site = headers.get('sec-fetch-site');
  return !isPage && site !== null && site !== 'same-origin' && site !== 'none';
}

function givenToken(url: URL, headers: Pick<Headers, 'get'>): string | undefined {
  const [, bearer] = /^Bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '') ?? [];
  return bearer ?? url.searchParams.get('token') ?? undefined;
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

/** The host with its port; undefined for an opaque origin. */
function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
