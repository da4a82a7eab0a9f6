import type { Observer, OperatorFunction, Subscription } from 'rxjs';
import { Observable, Subscriber } from '../rxjs/rxjs-classes.ts';
import type { Logger } from '../environment.ts';
import { toError } from '../errors/thrown-value.ts';
import { UserSubscriber } from '../operators/user-subscriber.ts';
import { callAndForget } from '../user-code.ts';

/**
 * The observers of a run: listeners, the logger, the inspector. Their errors and rejections reach neither the job nor
 * the process; they are reported once per observer.
 */
export class Observers {
  readonly #report: (observer: string, cause: Error) => void;
  readonly #reported = new Set<string>();

  constructor(report: (observer: string, cause: Error) => void) {
    this.#report = report;
  }

  /** Wraps a function so that it never throws. */
  guard<Item>(observer: string, watch: (item: Item) => unknown): (item: Item) => void {
    return (item) => this.#call(observer, () => watch(item));
  }

  logger(logger: Logger): Logger {
    const guarded =
      (level: keyof Logger): Logger['info'] =>
      (message, data) =>
        this.#call('logger', () => logger[level](message, data));
    return { debug: guarded('debug'), info: guarded('info'), warn: guarded('warn'), error: guarded('error') };
  }

  /**
   * What `open` returns to each subscriber, as one stream with isolated listeners: one that throws or rejects is reported
   * and not called again.
   */
  watched<Item>(observer: string, open: () => Observable<Item>): Observable<Item> {
    const source = new Observable<Item>((subscriber) => open().subscribe(subscriber));
    return new WatchedObservable(source, (cause) => this.#report(observer, cause));
  }

  /** Reports that an observer failed, once per observer. */
  report(observer: string, cause: Error): void {
    if (this.#reported.has(observer)) return;
    this.#reported.add(observer);
    this.#report(observer, cause);
  }

  #call(observer: string, call: () => unknown): void {
    callAndForget(call, (cause) => this.report(observer, cause));
  }
}

/**
 * RxJS rethrows errors of listeners, and errors without a listener, on a timer, which ends the process. Here both are
 * reported, even behind operators.
 */
class WatchedObservable<Item> extends Observable<Item> {
  readonly #source: Observable<Item>;
  readonly #failed: (cause: Error) => void;

  constructor(source: Observable<Item>, failed: (cause: Error) => void) {
    super((subscriber) => source.subscribe(new UserSubscriber(subscriber, failed)));
    this.#source = source;
    this.#failed = failed;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as RxJS declares it, for operators of any types
  override pipe(...operators: OperatorFunction<any, any>[]): Observable<any> {
    return new WatchedObservable(
      operators.reduce((source: Observable<unknown>, operator) => operator(source), this.#source),
      this.#failed,
    );
  }

  override subscribe(
    observerOrNext?: Partial<Observer<Item>> | ((value: Item) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // Operators pass on their own errors.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer: Partial<Observer<Item>> =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : { ...(observerOrNext && { next: observerOrNext }), ...(error && { error }), ...(complete && { complete }) };
    const fail = (cause: Error): void => {
      if (hasFailed) return;
      hasFailed = true;
      listening?.unsubscribe();
      this.#failed(cause);
    };
    const call = (listen: () => unknown): void => {
      if (!hasFailed) callAndForget(listen, fail);
    };
    let hasFailed = false;
    let listening: Subscription | undefined = undefined;
    listening = super.subscribe({
      // For each event: without a closure, unless the listener is asynchronous.
      next: (value) => {
        if (hasFailed) return;
        try {
          const returned: unknown = observer.next?.(value);
          if (returned !== undefined) callAndForget(() => returned, fail);
        } catch (thrown) {
          fail(toError(thrown));
        }
      },
      error: (cause: unknown) =>
        call(() => {
          if (observer.error === undefined) throw cause;
          return observer.error(cause);
        }),
      complete: () => call(() => observer.complete?.()),
    });
    // It may have failed while it subscribed.
    if (hasFailed) listening.unsubscribe();
    return listening;
  }
}
