import { causeChain } from '../errors/cause-chain.ts';
import { propertiesOf, propertyOf, show } from '../foreign-value.ts';

/** 4xx statuses that invite a retry: request timeout, too early, too many requests. */
const temporaryStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

/** V8's message for a write to a frozen object. */
const frozenWrite = /^Cannot (assign to read only property|(add|define|redefine|delete) property)/;

/** Why a restart cannot cure `error`, by any error in its cause chain; undefined if it may. */
export function unrecoverableReason(error: unknown): string | undefined {
  for (const link of causeChain(error)) {
    const reason = ownUnrecoverableReason(link);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/**
 * Why repeating cannot help, by one error of a chain itself:
 *
 * - its `recovery` is `never`;
 * - an HTTP status from 400 to 499 other than 408, 425 and 429: a service refused the call for good; see
 *   {@link httpStatusIn};
 * - a `TypeError` of a write to a frozen object; in development, emitted records are frozen.
 */
export function ownUnrecoverableReason(error: unknown): string | undefined {
  const {
    recovery,
    name,
    message: given,
    ...carried
  } = propertiesOf(error, 'recovery', 'name', 'message', ...carriers);
  const message = typeof given === 'string' ? given : show(error);
  if (recovery === 'never') return message;
  if (name === 'TypeError' && frozenWrite.test(message)) {
    return `${message}. Records are frozen once they are emitted: return a changed copy instead`;
  }
  const status = httpStatusIn(carried);
  if (status === undefined || status < 400 || status > 499 || temporaryStatuses.has(status)) return undefined;
  return `a call was refused with status ${status}, which no retry cures: ${message}`;
}

/** Properties of an error that may carry an HTTP status. */
const carriers = ['status', 'statusCode', 'response', 'thrown', '$metadata'] as const;

/**
 * Whether an error condemns more than the record at which it was thrown, by any error in its cause chain: an
 * `UnrecoverableError`, a service that refuses every call for a long time, a disk that fails under keyed states, or a
 * write to a frozen record, which is a mistake in the function.
 */
export function concernsEveryRecord(error: unknown): boolean {
  for (const link of causeChain(error)) {
    const { code, name, message } = propertiesOf(link, 'code', 'name', 'message');
    if (code === 'UNRECOVERABLE' || code === 'RETRY_AFTER' || code === 'STATE_BACKEND') return true;
    if (name === 'TypeError' && typeof message === 'string' && frozenWrite.test(message)) return true;
  }
  return false;
}

/**
 * The HTTP status that an error carries: `status` (OpenAI, Anthropic, Octokit), `statusCode` (got, Node's),
 * `response.status` (axios, ky), `$metadata.httpStatusCode` (AWS), or that of a thrown non-error such as the `Response`
 * of a `fetch`. AWS also uses 400 for throttling, so its 400 is ignored.
 */
function httpStatusIn(carried: Readonly<Record<(typeof carriers)[number], unknown>>): number | undefined {
  const response = propertiesOf(carried.response, 'status', 'statusCode');
  const aws = propertyOf(carried.$metadata, 'httpStatusCode');
  const candidates = [
    carried.status,
    carried.statusCode,
    response.status,
    response.statusCode,
    propertyOf(carried.thrown, 'status'),
    aws === 400 ? undefined : aws,
  ];
  return candidates.find((candidate): candidate is number => Number.isInteger(candidate));
}
