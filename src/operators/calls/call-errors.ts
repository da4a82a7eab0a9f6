import { announceErrorClass } from '../../plain-error.ts';
import { KintsugiError } from '../../errors/kintsugi-error.ts';

/** A call costs more than its limit ever allows, and would wait forever. Names the operator and the numbers. */
export class CallCostError extends KintsugiError {
  readonly code = 'CALL_COST';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  readonly cost: number;
  /** The limit per `perMs`. */
  readonly tokens: number;
  readonly perMs: number;

  constructor(operator: string, cost: number, tokens: number, perMs: number) {
    super(
      `A call of "${operator}" costs ${cost} tokens, but rateLimit allows ${tokens} per ${perMs} ms: it would wait forever. Raise \`tokens\`, or split the record before the call`,
    );
    this.operator = operator;
    this.cost = cost;
    this.tokens = tokens;
    this.perMs = perMs;
  }
}

/**
 * A service refused a call and asks to wait longer than `maxRetryAfterMs`. Names the operator and the requested wait.
 */
export class RetryAfterError extends KintsugiError {
  readonly code = 'RETRY_AFTER';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  /** The service's own words: `retry-after: 94670856`. */
  readonly said: string;
  readonly waitMs: number;
  readonly maxRetryAfterMs: number;

  /** @param cause the refusal */
  constructor(operator: string, said: string, waitMs: number, maxRetryAfterMs: number, cause: unknown) {
    super(
      `A call of "${operator}" was refused for ${waitMs} ms ("${said}"), but maxRetryAfterMs is ${maxRetryAfterMs} ms. Run the job again later, or raise \`maxRetryAfterMs\` to wait that long`,
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
