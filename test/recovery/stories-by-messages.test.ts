import { storyKinds, tellStoriesOf } from '../support/run-story.ts';

tellStoriesOf(storyKinds[1]);

// What is promised per run holds if executors share it by messages only: the same suites, over two of them.
describe.each(['hard-cases', 'planned-sources', 'record-positions', 'storage-stories'])('by messages: %s', (suite) => {
  jest.requireActual(`./${suite}.test.ts`);
});
