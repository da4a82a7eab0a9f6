import type { Answers, ArrivedAnswer, BeginningCall } from '../../operators/answers/answers.ts';
import type { NewAnswer } from '../../operators/answers/files/answer-record.ts';
import { type CallHash, callHashKey } from '../../operators/answers/files/call-hash.ts';
import { answerInPayload, type FoundAnswer } from '../../operators/answers/files/found-answer.ts';
import { fromPlainError, type PlainError, toPlainError } from '../../plain-error.ts';
import type { AnswersReply, AnswersRequest, SentAnswer } from './service-messages.ts';

type Post = (message: AnswersRequest) => void;

/** Opens directories with answers, which the run has open for all executors. */
export class RemoteAnswerStores {
  readonly #post: Post;
  readonly #opening = new Map<number, (result: Extract<AnswersReply, { type: 'opened' }>['result']) => void>();
  /** What waits for a reply about a call, by id. */
  readonly #calls: Calls = { waiting: new Map(), next: 0 };
  #stores = 0;

  constructor(post: Post) {
    this.#post = post;
  }

  readonly open = (directory: string): Promise<Answers> => {
    const store = this.#stores++;
    return new Promise((resolve, reject) => {
      this.#opening.set(store, (result) => {
        if ('error' in result) reject(fromPlainError(result.error));
        else resolve(new RemoteAnswers(store, result.openedMs, this.#calls, this.#post));
      });
      this.#post({ service: 'answers', type: 'open', store, directory });
    });
  };

  /** Takes a message of the run. */
  receive(reply: AnswersReply): void {
    if (reply.type === 'opened') {
      const opened = this.#opening.get(reply.store);
      this.#opening.delete(reply.store);
      return opened?.(reply.result);
    }
    const waiting = this.#calls.waiting.get(reply.id);
    this.#calls.waiting.delete(reply.id);
    waiting?.(reply);
  }
}

type CallReply = Exclude<AnswersReply, { type: 'opened' }>;

interface Calls {
  readonly waiting: Map<number, (reply: CallReply) => void>;
  next: number;
}

/** The answers in one directory, as an executor uses them. The run writes them, and knows which calls are in flight. */
class RemoteAnswers implements Answers {
  readonly openedMs: number;
  readonly #store: number;
  readonly #calls: Calls;
  readonly #post: Post;
  /** Answers that were sought, until they are found. */
  readonly #sought = new Map<string, FoundAnswer>();
  /** Calls that were in flight when their process or executor died, until that is taken. */
  readonly #lost = new Set<string>();
  /** Under which a call began. */
  readonly #idByCall = new WeakMap<object, number>();

  constructor(store: number, openedMs: number, calls: Calls, post: Post) {
    this.#store = store;
    this.openedMs = openedMs;
    this.#calls = calls;
    this.#post = post;
  }

  find(hash: CallHash): FoundAnswer | undefined {
    const name = callHashKey(hash);
    const found = this.#sought.get(name);
    this.#sought.delete(name);
    return found;
  }

  readonly seek = (hash: CallHash, found: () => void): void => {
    const id = this.#expect((reply) => {
      const answer = reply.type === 'found' ? reply.payload && answerInPayload(reply.payload) : undefined;
      if (answer !== undefined) this.#sought.set(callHashKey(hash), answer);
      found();
      // The asker may be gone.
      this.#sought.delete(callHashKey(hash));
    });
    this.#post({ service: 'answers', type: 'find', store: this.#store, id, hash: callHashKey(hash) });
  };

  /** The run answers for it: it logs what it cannot write. */
  remember(answer: NewAnswer): void {
    const id = this.#expect(() => {});
    this.#post({ service: 'answers', type: 'remember', store: this.#store, id, answer: compact(answer) });
  }

  rememberSoon(arrived: ArrivedAnswer): void {
    const id = this.#idByCall.get(arrived) ?? this.#calls.next++;
    this.#calls.waiting.set(id, (reply) => {
      if (reply.type === 'written') arrived.written(errorOf(reply.error));
    });
    this.#post({ service: 'answers', type: 'remember', store: this.#store, id, answer: compact(arrived.answer) });
  }

  begin(call: BeginningCall): void {
    this.#begin(call, false);
  }

  #begin(call: BeginningCall, isRefused: boolean): void {
    const { identity: hash } = call;
    const id = this.#expect((reply) => {
      const isUseless = reply.type === 'known' && !call.answeredElsewhere(answerInPayload(reply.payload));
      if (isUseless) this.#begin(call, true);
      if (reply.type === 'failed') call.begin(fromPlainError(reply.error));
      if (reply.type !== 'begun') return;
      if (reply.isAgain) this.#lost.add(callHashKey(hash));
      call.begin(errorOf(reply.error));
    });
    this.#idByCall.set(call, id);
    this.#post({ service: 'answers', type: 'begin', store: this.#store, id, hash: callHashKey(hash), isRefused });
  }

  ended(hash: CallHash, error: Error): void {
    this.#post({
      service: 'answers',
      type: 'ended',
      store: this.#store,
      hash: callHashKey(hash),
      error: toPlainError(error),
    });
  }

  abandoned(hash: CallHash): void {
    this.#post({ service: 'answers', type: 'abandoned', store: this.#store, hash: callHashKey(hash) });
  }

  takeLost(hash: CallHash): boolean {
    return this.#lost.delete(callHashKey(hash));
  }

  /** What was written is with the run. */
  async close(): Promise<void> {}

  #expect(reply: (reply: CallReply) => void): number {
    const id = this.#calls.next++;
    this.#calls.waiting.set(id, reply);
    return id;
  }
}

function errorOf(plain: PlainError | undefined): Error | undefined {
  return plain && fromPlainError(plain);
}

/** A message has a copy of the buffers in it, which are parts of larger ones. */
function compact({ origin, identity, isError, packed: { format, content } }: NewAnswer): SentAnswer {
  const sent = content instanceof Uint8Array ? new Uint8Array(content) : content;
  return { origin, hash: callHashKey(identity), key: identity.key, isError, format, content: sent };
}
