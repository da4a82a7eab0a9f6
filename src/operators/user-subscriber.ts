import { type Observable, type Observer, Subscriber, type TeardownLogic, UnsubscriptionError } from 'rxjs';
import { toError } from '../errors/thrown-value.ts';

/**
 * Listens for us to an observable of the user's. What a teardown throws (`finalize`) RxJS throws at whoever completes or
 * unsubscribes, be it a timer of the user's or the engine; what a listener throws it throws on a timer of its own, which ends
 * the process. Here both go to `failed`.
 */
export class UserSubscriber<Value> extends Subscriber<Value> {
  readonly #failed: (error: Error) => void;

  constructor(listener: Observer<Value>, failed: (error: Error) => void) {
    const tell = (call: () => void): void => {
      try {
        call();
      } catch (thrown) {
        failed(toError(thrown));
      }
    };
    // oxlint-disable-next-line typescript/no-deprecated -- RxJS calls the `unsubscribe` of a subscriber alone
    super({
      next: (value) => {
        try {
          listener.next(value);
        } catch (thrown) {
          failed(toError(thrown));
        }
      },
      error: (error: unknown) => tell(() => listener.error(error)),
      complete: () => tell(() => listener.complete()),
    });
    this.#failed = failed;
  }

  /** What an observable does while it is subscribed to, or when it is told that it is over by then, is its own failure, too. */
  listenTo(observable: Pick<Observable<Value>, 'subscribe'>): void {
    try {
      const teardown: TeardownLogic = observable.subscribe(this);
      // One of another library, or another copy of RxJS, answers with a teardown of its own.
      if (teardown !== this) this.add(teardown);
    } catch (thrown) {
      this.#failed(reasonOf(thrown));
    }
  }

  override unsubscribe(): void {
    try {
      super.unsubscribe();
    } catch (thrown) {
      this.#failed(reasonOf(thrown));
    }
  }
}

/** Of several teardowns that threw RxJS makes one error; of one, its own says more. */
function reasonOf(thrown: unknown): Error {
  const isOne = thrown instanceof UnsubscriptionError && thrown.errors.length === 1;
  return toError(isOne ? thrown.errors[0] : thrown);
}
