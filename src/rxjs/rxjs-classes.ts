import type * as rxjs from 'rxjs';
import { ReplaySubject } from 'rxjs/internal/ReplaySubject';

/**
 * The classes of RxJS that the engine uses, by one of its 223 files. When an ES module imports a file that is none, Node
 * looks for the names of its exports. After some ten thousand characters it optimizes that search, which takes a tenth
 * of the time to the first record; so the other classes are found from the one that is imported.
 */
export { ReplaySubject };

export type Observable<Value> = rxjs.Observable<Value>;
export type Subscription = rxjs.Subscription;

export const Subject = parentOf(ReplaySubject) as typeof rxjs.Subject;
export const Observable = parentOf(Subject) as typeof rxjs.Observable;
export const Subscriber = parentOf(classOfSubscribers()) as typeof rxjs.Subscriber;
export const Subscription = parentOf(Subscriber) as typeof rxjs.Subscription;

function parentOf(child: unknown): unknown {
  return Object.getPrototypeOf(child);
}

/** The class below `Subscriber` that an observable makes for observers. */
function classOfSubscribers(): unknown {
  let made: unknown;
  new Observable((subscriber) => void (made = subscriber.constructor)).subscribe();
  return made;
}
