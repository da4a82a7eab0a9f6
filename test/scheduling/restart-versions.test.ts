import fc from 'fast-check';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { RestartVersions, type VertexVersion } from '../../src/scheduling/restart-versions.ts';

const tasks = (...ids: number[]) => ids as ExecutionVertexId[];

describe('restart versions', () => {
  it('a decision holds for the tasks nobody has decided about since', () => {
    const versions = new RestartVersions(4);
    const first = versions.record(tasks(2, 0, 1));
    expect(versions.unmodified(first)).toEqual([2, 0, 1]);
    const second = versions.record(tasks(1, 3));
    expect(versions.unmodified(first)).toEqual([2, 0]);
    expect(versions.unmodified(second)).toEqual([1, 3]);
  });

  it('of any decisions about a task only the last is the newest', () => {
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(fc.nat(5)), { maxLength: 12 }), (decisions) => {
        const versions = new RestartVersions(6);
        const recorded: VertexVersion[][] = decisions.map((decision) => versions.record(tasks(...decision)));
        for (const [index, decision] of decisions.entries()) {
          const later = new Set(decisions.slice(index + 1).flat());
          expect(versions.unmodified(recorded[index] as VertexVersion[])).toEqual(
            decision.filter((task) => !later.has(task)),
          );
        }
      }),
    );
  });

  it.each([-1, 2, 0.5])('refuses task %s, which is not there', (task) => {
    expect(() => new RestartVersions(2).record(tasks(task))).toThrow(/no execution vertex/);
  });

  it.each([0, 2])('refuses a question about task %s before it was decided about', (task) => {
    const versions = new RestartVersions(2);
    expect(() => versions.isModified({ vertex: task as ExecutionVertexId, version: 1 })).toThrow(/before a version/);
  });
});
