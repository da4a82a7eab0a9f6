import { describeSeeds } from './describe-seeds.ts';

// With streams, and those that are cancelled, resumed, or lose power, `npm test` has 5 000 seeds.
describeSeeds(1, 3_600);
