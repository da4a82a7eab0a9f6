import { storyKinds, tellStoriesOf } from '../support/run-story.ts';

// What is promised per run holds if executors share it by messages only: the same suites, over two of them.
describe.each(['hard-cases', 'planned-sources', 'record-positions', 'storage-stories'])('by messages: %s', (suite) => {
  beforeAll(() => tellStoriesOf(storyKinds[1]));
  afterAll(() => tellStoriesOf(storyKinds[0]));
  jest.requireActual(`./${suite}.test.ts`);
});
