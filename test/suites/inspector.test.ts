import { suite } from './suite.ts';

suite('inspector');
