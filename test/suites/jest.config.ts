/** @jest-config-loader esbuild-register */
import { availableParallelism } from 'node:os';
import type { Config } from 'jest';
import base from '../../jest.config.ts';
import { apart } from './suite.ts';

/** How `npm test` runs the tests: most folders together, the longest first. */
const config: Config = {
  ...base,
  rootDir: '../..',
  // Many tests wait for disks, timers and other processes: more files than cores leave no core idle meanwhile. Jest knows
  // no percentage above 100.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  testMatch: ['<rootDir>/test/suites/*.test.ts', ...apart.map((file) => `<rootDir>/test/${file}`)],
  testPathIgnorePatterns: ['/node_modules/'],
  testSequencer: '<rootDir>/test/suites/longest-first.mjs',
};

export default config;
