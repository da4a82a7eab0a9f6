/** Whether this is `npm run test:long`: the tests of `npm test` with more draws, and those that take longest. */
export const isLong = process.env['TESTS'] === 'long';

/** How much a test draws: `few` in `npm test`, `many` in `npm run test:long`. */
export function draws(few: number, many: number): number {
  return isLong ? many : few;
}
