import { KintsugiError } from '../../errors/kintsugi-error.ts';
import { announceErrorClass } from '../../plain-error.ts';

/** The answer of a call cannot be remembered: its record has no key, or the answer is no plain data. */
export class AnswerNotRememberedError extends KintsugiError {
  readonly code = 'ANSWER_NOT_REMEMBERED';
  override readonly recovery = 'never';
  /** The uid of the operator. */
  readonly operator: string;
  readonly problem: string;

  constructor(operator: string, problem: string, remedy: string) {
    super(`mapAsync "${operator}" cannot remember an answer: ${problem}. ${remedy}, or set \`remember: false\``);
    this.operator = operator;
    this.problem = problem;
  }
}

/** Remembered answers cannot be dropped while a run uses them. Names its process. */
export class AnswersInUseError extends KintsugiError {
  readonly code = 'ANSWERS_IN_USE';
  override readonly recovery = 'never';
  readonly directory: string;
  readonly pid: number;
  readonly host: string;

  constructor(directory: string, { pid, host }: { readonly pid: number; readonly host: string }) {
    super(`${directory}: a run in process ${pid} on ${host} uses these answers. Drop them when it has ended`);
    this.directory = directory;
    this.pid = pid;
    this.host = host;
  }
}

/**
 * A call that another executor was making has no outcome, because the executor is lost or has aborted it. Who waited for
 * it makes it again at once, within the limits; that is no retry.
 */
export class CallLostError extends KintsugiError {
  readonly code = 'CALL_LOST';
  override readonly recovery = 'restart';
  readonly retryAfterMs = 0;

  constructor() {
    super('A call for the same record ended in another executor without an outcome');
  }
}

announceErrorClass(AnswerNotRememberedError);
announceErrorClass(CallLostError);
announceErrorClass(AnswersInUseError);
