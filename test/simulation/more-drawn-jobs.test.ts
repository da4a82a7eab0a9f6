import { describeSeeds } from './describe-seeds.ts';

describeSeeds(2_501, 2_500);
