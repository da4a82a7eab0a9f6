import { describeSeeds } from './describe-seeds.ts';
import { draws } from '../support/draws.ts';

describeSeeds(1, draws(1_200, 3_600));
