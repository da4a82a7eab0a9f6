import { readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import Sequencer from '@jest/test-sequencer';

const { apart, suites } = JSON.parse(readFileSync(join(import.meta.dirname, 'suites.json'), 'utf8'));
const order = [
  ...apart.map((file) => file.split('/').join(sep)),
  ...Object.keys(suites).map((name) => `${name}.test.ts`),
];

/** Begins with what takes longest, so that no core idles at the end. Failures of the run before change nothing. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const placeOf = ({ path }) => order.findIndex((name) => path.endsWith(sep + name));
    return [...tests].sort((a, b) => placeOf(a) - placeOf(b));
  }
}
