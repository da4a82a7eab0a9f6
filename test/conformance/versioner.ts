import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import { CannotRun, DiffersOnPurpose, equals, equalsAs, type Handler, knowing, sorted } from './conformance-case.ts';
import { listOf, textOf } from './given-graph.ts';
import { JobRig } from './job-rig.ts';

/** Each decision is due at a different moment, later decisions later. */
const later: RestartBackoffRule<number> = {
  name: 'later',
  initial: 0,
  onFailure: (decisions) => ({ state: decisions + 1, newAttempt: true }),
  canRestart: () => true,
  delayMs: (decisions) => 1_000 * decisions,
};

/** A decision to restart tasks, and when it is due. */
interface Decision {
  readonly tasks: readonly string[];
  readonly dueMs: number;
}

/**
 * Whether a decision is still the newest about a task. Instead of a counter, the test waits for its time: the decision
 * holds for the tasks that restart then. (Flink: `ExecutionVertexVersioner`; here every region follows its newest
 * failover.)
 */
const versioner: Handler = ({ given, when }) => {
  const names = listOf<string>(given['vertices'], 'vertices');
  const records = when.filter(({ op }) => op === 'record').length;
  const rig = new JobRig({
    vertices: names.map((id) => ({ id, parallelism: 1 })),
    restart: later as RestartBackoffRule,
    triggers: Math.max(1, records),
  });
  rig.start();
  rig.reportAll('running');
  const { cluster } = rig;
  const decisions = new Map<string, Decision>();
  const decided = (step: Readonly<Record<string, unknown>>): Decision => {
    if (step['record'] === 'never recorded') throw new DiffersOnPurpose('never recorded');
    const decision = decisions.get(textOf(step['record'] ?? ''));
    if (decision === undefined) throw new CannotRun('a task that nothing was decided about has no decision to ask for');
    const asked = listOf<string>(step['vertices'], 'vertices').map((name) => rig.taskNamed(name));
    const stranger = asked.find((task) => !decision.tasks.includes(task));
    if (stranger !== undefined) throw new CannotRun(`nothing was decided about ${stranger}`);
    return asked.length === 0 ? decision : { ...decision, tasks: asked };
  };
  /** The tasks of a decision that it still restarts, determined by letting its time come. */
  const restarted = ({ tasks, dueMs }: Decision): string[] => {
    if (dueMs <= cluster.clock.now()) throw new CannotRun('a decision that is past cannot be waited for');
    const before = cluster.events.length;
    rig.advanceTo(dueMs);
    const regions = new Set(
      cluster.events
        .slice(before)
        .flatMap((event) =>
          event.type === 'region.stateChanged' && event.state === 'created' && event.atMs === dueMs
            ? [event.region]
            : [],
        ),
    );
    return tasks.filter((task) => regions.has(cluster.regionOf(task)));
  };

  let modified: boolean | undefined;
  let unmodified: readonly string[] | undefined;
  for (const step of when) {
    rig.beginStep();
    switch (step['op']) {
      case 'record': {
        const tasks = listOf<string>(step['vertices'], 'vertices').map((name) => rig.taskNamed(name));
        rig.failOver(tasks, decisions.size);
        rig.confirmCancellations();
        const dueMs = rig.pendingRestarts.at(-1);
        if (dueMs === undefined) throw new Error('nothing was decided');
        decisions.set(textOf(step['as']), { tasks, dueMs });
        break;
      }
      case 'isModified': {
        const decision = decided(step);
        const left = restarted(decision).length;
        if (left > 0 && left < decision.tasks.length) throw new CannotRun('one answer for several tasks is not known');
        modified = left === 0;
        break;
      }
      case 'unmodified':
        unmodified = restarted(decided(step)).map((task) => task.replace(/\[0\]$/, ''));
        break;
      default:
        throw new CannotRun(`operation ${JSON.stringify(step['op'])} is not known`);
    }
  }
  return {
    modified: equals(modified),
    unmodified: unmodified === undefined ? equals(undefined) : equalsAs(sorted, unmodified),
  };
};

/** Handler of versions of decisions, of the area `state-machine`. */
export const versionerHandlers: Readonly<Record<string, Handler>> = {
  versioner: knowing(
    {
      given: ['vertices'],
      ops: { record: ['vertices', 'as'], isModified: ['record', 'vertices'], unmodified: ['record', 'vertices'] },
    },
    versioner,
  ),
};
