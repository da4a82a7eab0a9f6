import { announceErrorClass } from '../../plain-error.ts';
import { KintsugiError } from '../../errors/kintsugi-error.ts';

/** A call would cost more than its limit ever allows: it would wait for ever. Names the operator and the numbers. */
export class CallCostError extends KintsugiError {
  readonly code = 'CALL_COST';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  readonly cost: number;
  /** What `perMs` may see. */
  readonly tokens: number;
  readonly perMs: number;

  constructor(operator: string, cost: number, tokens: number, perMs: number) {
    super(
      `A call of "${operator}" costs ${cost} tokens, and ${tokens} per ${perMs} ms are all that rateLimit allows: it would wait for ever. Raise \`tokens\`, or split the record before`,
    );
    this.operator = operator;
    this.cost = cost;
    this.tokens = tokens;
    this.perMs = perMs;
  }
}

/** A service refused a call and asks to wait for longer than `maxRetryAfterMs`. Names the operator and what was asked for. */
export class RetryAfterError extends KintsugiError {
  readonly code = 'RETRY_AFTER';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  /** As the service said it: `retry-after: 94670856`. */
  readonly said: string;
  readonly waitMs: number;
  readonly maxRetryAfterMs: number;

  /** @param cause the refusal */
  constructor(operator: string, said: string, waitMs: number, maxRetryAfterMs: number, cause: unknown) {
    super(
      `A call of "${operator}" was refused for ${waitMs} ms ("${said}"), and ${maxRetryAfterMs} ms are all that maxRetryAfterMs allows. Run the job again later, or raise \`maxRetryAfterMs\` if the service means it`,
      { cause },
    );
    this.operator = operator;
    this.said = said;
    this.waitMs = waitMs;
    this.maxRetryAfterMs = maxRetryAfterMs;
  }
}

announceErrorClass(CallCostError);
announceErrorClass(RetryAfterError);
