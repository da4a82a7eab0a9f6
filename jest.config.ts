/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  // XState's warnings (unknown actions, stopped actors) are silent without its development build.
  testEnvironmentOptions: { customExportConditions: ['development', 'node', 'node-addons'] },
  // Jest leaves one core idle unless it is told otherwise.
  maxWorkers: '100%',
  // Ends tests that hang. How long one takes says nothing on a machine that is busy.
  testTimeout: 300_000,
  roots: ['<rootDir>/test'],
  // `npm test` has a configuration of its own, which runs these instead of the files that they consist of.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/suites/'],
  setupFilesAfterEnv: ['<rootDir>/test/support/no-warnings.ts', '<rootDir>/test/support/equality.ts'],
  // Each use of a global is looked up in the sandbox of a test file; these are parameters of its modules instead.
  sandboxInjectedGlobals: [
    'Array',
    'ArrayBuffer',
    'BigInt',
    'Boolean',
    'DataView',
    'Error',
    'Float64Array',
    'Int32Array',
    'JSON',
    'Map',
    'Math',
    'Number',
    'Object',
    'Promise',
    'RangeError',
    'Reflect',
    'RegExp',
    'Set',
    'String',
    'Symbol',
    'TypeError',
    'Uint32Array',
    'Uint8Array',
    'WeakMap',
    'WeakSet',
  ],
  moduleNameMapper: {
    // One file instead of two hundred, which every test file would load for itself.
    '^rxjs$': '<rootDir>/node_modules/rxjs/dist/bundles/rxjs.umd.js',
    '^kintsugi$': '<rootDir>/src/index.ts',
    '^kintsugi/inspect$': '<rootDir>/src/inspector/index.ts',
    '^kintsugi/metrics$': '<rootDir>/src/metrics/index.ts',
    '^kintsugi/testing$': '<rootDir>/src/testing/index.ts',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs', ignoreDynamic: false },
        sourceMaps: true,
      },
    ],
    // Dependencies that ship ES modules alone, and the few packages they need.
    '^.+\\.js$': ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' }, sourceMaps: true }],
  },
  transformIgnorePatterns: ['/node_modules/(?!(hyparquet|hyparquet-compressors|hyparquet-writer|hysnappy|fzstd)/)'],
  collectCoverageFrom: ['src/**/*.ts'],
  coverageProvider: 'v8',
};

export default config;
