import type * as OverWorkers from '../support/over-workers.ts';
import { isLong } from '../support/draws.ts';
import type * as RunStory from '../support/run-story.ts';

/** Suites of faults and of durability: what they say holds over workers, too. */
const suites = [
  '../api/on-error',
  '../run/durable/disk-full',
  './end-to-end',
  './failure-messages',
  './hanging-ends',
  './hard-cases',
  './incomplete-job',
  './inner-jobs',
  './kept-results-endings',
  './live-sources',
  './output-claims',
  './paid-calls',
  './planned-sources',
  './rude-observables',
  './storage-stories',
];

/** Those that take longest: `npm run stories` and `npm run test:long` have them all. */
const longSuites = [
  '../run/durable/divided-again',
  '../run/durable/run-again',
  './bad-input',
  './changing-inputs',
  './early-ends',
  './exchange-stories',
  './kept-results',
  './large-records',
  './record-positions',
  './rejected-records',
  './remembered-answers',
  './rude-extensions',
  './rude-user-code',
  './stopped-run',
];

// With modules of their own, because the suites may be loaded already, and their jobs run in this process.
jest.isolateModules(() => {
  const { storyKinds, tellStoriesOf } = jest.requireActual<typeof RunStory>('../support/run-story.ts');
  tellStoriesOf(storyKinds[1]);
  jest.requireActual<typeof OverWorkers>('../support/over-workers.ts').runJobsOverWorkers();
  for (const suite of isLong ? [...suites, ...longSuites] : suites) {
    describe(`over workers: ${suite}`, () => void jest.requireActual(`${suite}.test.ts`));
  }
});
