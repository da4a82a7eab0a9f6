/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import base from '../../jest.config.ts';
import { apart } from './suite.ts';

/** How `npm test` runs the tests: most folders together, the longest first. */
const config: Config = {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/suites/*.test.ts', ...apart.map((file) => `<rootDir>/test/${file}`)],
  testPathIgnorePatterns: ['/node_modules/'],
  testSequencer: '<rootDir>/test/suites/longest-first.mjs',
};

export default config;
