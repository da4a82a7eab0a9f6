import type { Observable, Observer, TeardownLogic, UnsubscriptionError } from 'rxjs';
import { Subscriber } from '../rxjs/rxjs-classes.ts';
import { toError } from '../errors/thrown-value.ts';

/**
 * The engine's subscriber to a user's observable. RxJS throws an error of a teardown (`finalize`) at the code that
 * completes or unsubscribes, which may be the engine or a user's timer; it throws an error of a listener on its own
 * timer, which ends the process. Here both go to `failed`.
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

  /** Subscribes. An error during subscription, or during a teardown within it, is a failure of the observable too. */
  listenTo(observable: Pick<Observable<Value>, 'subscribe'>): void {
    try {
      const teardown: TeardownLogic = observable.subscribe(this);
      // An observable of another library, or another copy of RxJS, returns its own teardown.
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

/** RxJS wraps the errors of teardowns in one error; a single one is clearer unwrapped. */
function reasonOf(thrown: unknown): Error {
  return toError(isOfTeardowns(thrown) && thrown.errors.length === 1 ? thrown.errors[0] : thrown);
}

/** By its name, because another copy of RxJS has a class of its own. */
function isOfTeardowns(thrown: unknown): thrown is UnsubscriptionError {
  return (
    thrown instanceof Error &&
    thrown.name === 'UnsubscriptionError' &&
    'errors' in thrown &&
    Array.isArray(thrown.errors)
  );
}
