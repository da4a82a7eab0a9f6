import type * as RunStory from '../support/run-story.ts';

// What is promised per run holds if executors share it by messages only: the same suites, over two of them. With modules
// of their own, because the suites may be loaded already, and other stories keep their kind.
describe.each(['hard-cases', 'planned-sources', 'record-positions', 'storage-stories'])('by messages: %s', (suite) => {
  jest.isolateModules(() => {
    const { storyKinds, tellStoriesOf } = jest.requireActual<typeof RunStory>('../support/run-story.ts');
    tellStoriesOf(storyKinds[1]);
    jest.requireActual(`./${suite}.test.ts`);
  });
});
