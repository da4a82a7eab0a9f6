import type { Port } from './protocol/port.ts';
import type { Clock } from '../environment.ts';

/** Posts the messages of one turn of the event loop together, in order, because each post costs more than its message. */
export class TurnPost<Message> {
  readonly #port: Pick<Port<readonly Message[], never>, 'post'>;
  readonly #clock: Pick<Clock, 'setImmediate'>;
  #messages: Message[] = [];

  constructor(port: Pick<Port<readonly Message[], never>, 'post'>, clock: Pick<Clock, 'setImmediate'>) {
    this.#port = port;
    this.#clock = clock;
  }

  readonly post = (message: Message): void => {
    this.#messages.push(message);
    if (this.#messages.length === 1) this.#clock.setImmediate(() => this.#flush());
  };

  #flush(): void {
    const messages = this.#messages;
    this.#messages = [];
    this.#port.post(messages);
  }
}
