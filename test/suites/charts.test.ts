import { suite } from './suite.ts';

suite('charts');
