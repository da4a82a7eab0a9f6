import { suite } from './suite.ts';

suite('simulation');
