import type { ExecutionVertexId } from '../../src/ids.ts';
import { RestartVersions, type VertexVersion } from '../../src/scheduling/restart-versions.ts';
import { CannotRun, equals, equalsAs, type Handler, knowing, sorted } from './conformance-case.ts';
import { listOf, textOf } from './given-graph.ts';

/** Versions that were recorded under a name, asked about later. */
const versioner: Handler = ({ given, when }) => {
  const names = listOf<string>(given['vertices'], 'vertices');
  const versions = new RestartVersions(names.length);
  const vertexNamed = (name: unknown): ExecutionVertexId => {
    const vertex = names.indexOf(textOf(name));
    if (vertex < 0) throw new CannotRun(`there is no vertex ${JSON.stringify(name)} in the case`);
    return vertex as ExecutionVertexId;
  };
  const recorded = new Map<string, readonly VertexVersion[]>();
  /** What a step asks about: a record by its name, or vertices no decision was ever recorded about. */
  const asked = (step: Readonly<Record<string, unknown>>): readonly VertexVersion[] => {
    if (step['record'] === undefined) {
      const list = step['vertex'] === undefined ? listOf(step['vertices'], 'vertices') : [step['vertex']];
      return list.map((name) => ({ vertex: vertexNamed(name), version: 0 }));
    }
    const record = recorded.get(textOf(step['record']));
    if (record === undefined) throw new CannotRun(`nothing was recorded as ${JSON.stringify(step['record'])}`);
    return record;
  };

  let modified: readonly boolean[] = [];
  let unmodified: readonly string[] | undefined;
  for (const step of when) {
    switch (step['op']) {
      case 'record':
        recorded.set(
          textOf(step['as']),
          versions.record(listOf<string>(step['vertices'], 'vertices').map(vertexNamed)),
        );
        break;
      case 'isModified':
        modified = asked(step).map((version) => versions.isModified(version));
        break;
      case 'unmodified':
        unmodified = versions.unmodified(asked(step)).map((vertex) => names[vertex] as string);
        break;
      default:
        throw new CannotRun(`operation ${JSON.stringify(step['op'])} is not known`);
    }
  }
  const distinct = [...new Set(modified)];
  return {
    modified: equals(distinct.length === 1 ? distinct[0] : modified),
    unmodified: unmodified === undefined ? equals(undefined) : equalsAs(sorted, unmodified),
  };
};

/** Handler of versions of decisions, of the area `state-machine`. */
export const versionerHandlers: Readonly<Record<string, Handler>> = {
  versioner: knowing(
    {
      given: ['vertices'],
      ops: ['record', 'isModified', 'unmodified'],
      steps: ['vertices', 'vertex', 'record', 'as'],
    },
    versioner,
  ),
};
