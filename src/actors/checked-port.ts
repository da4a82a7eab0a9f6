import { propertyOf } from '../foreign-value.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterPort } from './protocol/messages.ts';
import { commandCheck, type JobSize, type MessageCheck, reportCheck } from './protocol/message-shapes.ts';
import type { Port } from './protocol/port.ts';

type InvalidMessage = Extract<ExecutorToMasterMessage, { type: 'message.invalid' }>;

/** The checks of both directions. */
export interface MessageChecks {
  readonly command: MessageCheck;
  readonly report: MessageCheck;
}

/** The checks for the messages about one job. */
export function messageChecks(size: JobSize): MessageChecks {
  return { command: commandCheck(size), report: reportCheck(size) };
}

/** The executor's end: an invalid command is reported to the master. W7 */
export function checkedMasterPort(port: MasterPort, { command }: MessageChecks): MasterPort {
  return checked(port, command, (found) => port.post({ type: 'message.invalid', receiver: 'executor', ...found }));
}

/** The master's end: an invalid report is delivered as the report that there was one. W7 */
export function checkedExecutorPort(port: ExecutorPort, { report }: MessageChecks): ExecutorPort {
  return checked(port, report, (found, deliver) => deliver({ type: 'message.invalid', receiver: 'master', ...found }));
}

/** A port whose messages come from outside: they are checked when they arrive, and only valid ones are delivered. */
function checked<Sent, Received>(
  port: Port<Sent, Received>,
  check: MessageCheck,
  invalid: (found: Pick<InvalidMessage, 'message' | 'problem'>, deliver: (message: Received) => void) => void,
): Port<Sent, Received> {
  return {
    post: (message) => port.post(message),
    onMessage: (listener) =>
      port.onMessage((received) => {
        const problem = check(received);
        if (problem === undefined) return listener(received);
        const type = propertyOf(received, 'type');
        invalid({ message: typeof type === 'string' ? type.slice(0, 80) : 'of no type', problem }, listener);
      }),
    onClose: (listener) => port.onClose(listener),
    onSent: (listener) => port.onSent(listener),
    close: (why) => port.close(why),
  };
}
