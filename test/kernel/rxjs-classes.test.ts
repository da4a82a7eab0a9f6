import { Observable } from 'rxjs/internal/Observable';
import { ReplaySubject } from 'rxjs/internal/ReplaySubject';
import { Subject } from 'rxjs/internal/Subject';
import { Subscriber } from 'rxjs/internal/Subscriber';
import { Subscription } from 'rxjs/internal/Subscription';
import * as classes from '../../src/rxjs/rxjs-classes.ts';

it('are the classes of RxJS', () => {
  expect({ ...classes }).toEqual({ Observable, ReplaySubject, Subject, Subscriber, Subscription });
});
