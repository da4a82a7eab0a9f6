import type { LeftOut } from '../../bench/walk/left-out.ts';
import { Walker } from '../../bench/walk/walker.ts';

/** A walker that knows one file, with one function. */
function walkerWith(leftOut: readonly LeftOut[] = []): Walker {
  const walker = new Walker(leftOut);
  walker.declare('api/a.ts', 'file:///a.ts', [{ name: 'A.go', start: 0, end: 10 }], [0]);
  return walker;
}

describe('a walk is refused', () => {
  it('if it leaves out something that does not exist', () => {
    const why = 'only watches';
    const walker = walkerWith([
      { name: 'go', extent: 'alone', why },
      { files: 'api/', name: 'gone', extent: 'alone', why },
    ]);
    walker.start();
    walker.stop();
    expect(() => walker.assertSound()).toThrow(
      'Nothing matches the entry to leave out: "api/ gone(), alone: only watches"',
    );
  });

  it('if it did not reach its end', () => {
    const walker = walkerWith();
    walker.start();
    expect(() => walker.assertSound()).toThrow('The walk has no end');
  });

  it('if the stack does not show the entered function', () => {
    const walker = walkerWith();
    walker.start();
    walker.enter('api/a.ts', 0);
    walker.stop();
    expect(() => walker.assertSound()).toThrow('A.go of api/a.ts is on the stack as undefined');
  });
});
