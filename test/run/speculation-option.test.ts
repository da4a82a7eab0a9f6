import { InvalidArgumentError, type SpeculationOptions } from '../../src/index.ts';
import { resolveSpeculation } from '../../src/run/executors/speculation-option.ts';

const defaults = {
  rule: { ratio: 0.75, multiplier: 1.5, minimumMs: 60_000 },
  checkIntervalMs: 1_000,
  repeatCalls: false,
};

it.each<[SpeculationOptions | boolean | undefined, object | undefined]>([
  [undefined, undefined],
  [false, undefined],
  [true, defaults],
  [{}, defaults],
  [
    { minimumMs: 0, ratio: 1 },
    { ...defaults, rule: { ratio: 1, multiplier: 1.5, minimumMs: 0 } },
  ],
  [
    { checkIntervalMs: 5, repeatCalls: true },
    { ...defaults, checkIntervalMs: 5, repeatCalls: true },
  ],
])('speculation: %j', (given, resolved) => {
  expect(resolveSpeculation(given)).toEqual(resolved);
});

it.each<[object | string, RegExp]>([
  ['yes', /^options of speculation: expected an object/],
  [{ ratoi: 0.5 }, /^ratoi of speculation: .*did you mean `ratio`/],
  [{ ratio: 0 }, /^speculation.ratio: expected a number above 0/],
  [{ ratio: 1.1 }, /^speculation.ratio/],
  [{ multiplier: 0.9 }, /^speculation.multiplier: expected a number of at least 1/],
  [{ multiplier: Infinity }, /^speculation.multiplier/],
  [{ minimumMs: -1 }, /^speculation.minimumMs/],
  [{ checkIntervalMs: 0 }, /^speculation.checkIntervalMs/],
  [{ repeatCalls: 1 }, /^speculation.repeatCalls/],
])('speculation: %j is refused', (given, message) => {
  const resolve = () => resolveSpeculation(given as SpeculationOptions);
  expect(resolve).toThrow(InvalidArgumentError);
  expect(resolve).toThrow(message);
});
