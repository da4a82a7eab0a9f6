/**
 * A test fails on any warning that it does not expect: in its development build, XState reports misused actions and
 * events for actors that have stopped with `console.warn` alone.
 */
const warnings: string[] = [];
let warn: jest.SpyInstance;

beforeEach(() => {
  warn = jest.spyOn(console, 'warn').mockImplementation((...parts: unknown[]) => {
    warnings.push(parts.map(String).join(' '));
  });
});

afterEach(() => {
  warn.mockRestore();
  expect(warnings.splice(0)).toEqual([]);
});
