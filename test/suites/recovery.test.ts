import { suite } from './suite.ts';

suite('recovery');
