import { readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import Sequencer from '@jest/test-sequencer';

const { apart, suites } = JSON.parse(readFileSync(join(import.meta.dirname, 'suites.json'), 'utf8'));
const [longest, ...short] = apart.map((file) => file.split('/').join(sep));
const order = [longest, ...Object.keys(suites).map((name) => `${name}.test.ts`), ...short];

/** Begins with what takes longest, and ends with what is short, so that no core idles at the end. Failures of the run before change nothing. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const placeOf = ({ path }) => order.findIndex((name) => path.endsWith(sep + name));
    return [...tests].sort((a, b) => placeOf(a) - placeOf(b));
  }
}
