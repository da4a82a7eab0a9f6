import { suite } from './suite.ts';

suite('runs');
