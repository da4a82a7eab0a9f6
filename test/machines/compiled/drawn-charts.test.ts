import fc from 'fast-check';
import { whyInterpreted } from '../../../src/machines/compiled/why-interpreted.ts';
import { draws } from '../../support/draws.ts';
import { bothStories, childStories } from './actor-story.ts';
import { drawnCase } from './drawn-chart.ts';

it('CF1, CF5: a drawn chart behaves as its interpreted form does, whatever happens to it, as a child too', async () => {
  let lines = 0;
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (g) => {
      const { make, steps } = drawnCase(g);
      expect(whyInterpreted(make(() => {}))).toBeUndefined();
      const [interpreted, compiledForm] = await bothStories(make, { steps });
      lines += interpreted.length;
      expect(compiledForm).toEqual(interpreted);
      const [ofXState, ofThousands] = await childStories(make, { steps });
      expect(ofThousands).toEqual(ofXState);
    }),
    // Making a failing case smaller takes minutes. Without the second option it does.
    { numRuns: Number(process.env['DRAWN_CHARTS'] ?? draws(80, 200)), endOnFailure: true },
  );
  expect(lines).toBeGreaterThan(3_000);
});
