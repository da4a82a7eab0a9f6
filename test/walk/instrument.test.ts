import { instrument } from '../../bench/walk/instrument.ts';

/** Names of the functions that are entered while a text runs. */
function entered(source: string): string[] {
  const { code, functions } = instrument(source, 'a.ts');
  const names: string[] = [];
  const walker = {
    enter: (file: string, index: number) => {
      expect(file).toBe('a.ts');
      names.push(functions[index]?.name ?? 'nothing');
    },
  };
  // oxlint-disable-next-line typescript/no-implied-eval -- instrumented code, to be run
  new Function('kintsugiWalk', code)(walker);
  return names;
}

describe('instrumented code reports each function that is entered', () => {
  it.each<[what: string, source: string, names: string[]]>([
    ['a function', 'function go(): void {} go();', ['go']],
    ['an arrow function', 'const go = (n: number) => n + 1; go(1);', ['go']],
    ['one that returns an object', 'const go = () => ({ n: 1 }); if (go().n !== 1) throw 0;', ['go']],
    ['one that returns one', 'const go = (a: number) => (b: number) => a + b; go(1)(2);', ['go', 'go.anonymous']],
    ['one that is passed on', 'function go() { return [1, 2].map((n) => n); } go();', ['go', 'go.map()', 'go.map()']],
    ['a default', 'function go(of = () => 1) { return of(); } go();', ['go', 'go.of']],
    [
      'constructors',
      'class A { constructor() {} } class B extends A { constructor() { super(); } } new B();',
      ['B.constructor', 'A.constructor'],
    ],
    [
      'methods and accessors',
      'class A { static of() { return new A(); } get n() { return 1; } set n(_) {} #own() {} go() { this.#own(); } } const a = A.of(); a.n = a.n; a.go();',
      ['A.of', 'A.n', 'A.n', 'A.go', 'A.#own'],
    ],
    ['a field', 'class A { #go = () => 1; constructor() { this.#go(); } } new A();', ['A.constructor', 'A.#go']],
    [
      'functions in an object',
      "const chart = { on: { go: () => 1, 'a.b': () => 2 }, run() {}, get n() { return 3; } }; chart.on.go(); chart.on['a.b'](); chart.run(); chart.n;",
      ['on.go', 'on.a.b', 'chart.run', 'chart.n'],
    ],
    ['an async function, once', 'async function go() { await 1; } void go();', ['go']],
    ['a generator, when it runs', 'function* go() { yield 1; yield 2; } [...go()];', ['go']],
    ['after text that is not ASCII', "const text = '→ “ü”'; /* … */ const go = () => text; go();", ['go']],
  ])('%s', (_, source, names) => {
    expect(entered(source)).toEqual(names);
  });

  it('and the position of each function', () => {
    const { code, functions } = instrument('const text = `“\n`; function one() { return () => text; }', 'a.ts');
    expect(
      functions.map(({ name, start, end }) => [name, code.slice(start, end).replaceAll(/kintsugiWalk\S+ \d+\)/g, '…')]),
    ).toEqual([
      ['one', 'function one(){…;return()=>(…, text)}'],
      ['one.anonymous', '()=>(…, text)'],
    ]);
  });
});
