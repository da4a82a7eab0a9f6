import { whyInterpreted } from '../../../src/machines/compiled/why-interpreted.ts';
import { bothStories, childStories } from './actor-story.ts';
import { constructs } from './constructs.ts';

describe.each(Object.entries(constructs))('%s', (_, { make, ...options }) => {
  it('CF1: is compiled, and cannot be told from the interpreted form', async () => {
    expect(whyInterpreted(make(() => {}))).toBeUndefined();
    const [interpreted, compiledForm] = await bothStories(make, options);
    expect(interpreted.length).toBeGreaterThan(5);
    expect(compiledForm).toEqual(interpreted);
  });

  it('CF1: nor when nobody inspects it', async () => {
    const [interpreted, compiledForm] = await bothStories(make, { ...options, isInspected: false });
    expect(compiledForm).toEqual(interpreted);
  });

  it('CF5: nor as a child that is created as one of thousands', async () => {
    const [interpreted, compiledForm] = await childStories(make, options);
    expect(interpreted.length).toBeGreaterThan(5);
    expect(compiledForm).toEqual(interpreted);
  });

  it('CF5: nor when nobody inspects it', async () => {
    const [interpreted, compiledForm] = await childStories(make, { ...options, isInspected: false });
    expect(compiledForm).toEqual(interpreted);
  });
});
