import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import { executionMachine } from '../../src/machines/execution/execution-machine.ts';
import { jobMasterMachine } from '../../src/machines/job-master/job-master-machine.ts';
import type { JobStatus } from '../../src/actors/protocol/states.ts';
import { CannotRun, equals, equalsAs, type Handler, knowing, sorted } from './conformance-case.ts';
import { leadJob } from './given-job.ts';
import { listOf } from './given-graph.ts';
import { JobRig } from './job-rig.ts';
import { shownJobStatus } from './shown-status.ts';

/** A transition between two states, by a command, an event or a condition. */
interface Way {
  readonly to: string;
  readonly isTold: boolean;
}

/** The content of a chart, by the names of the catalogue. */
interface Chart {
  readonly initial: string;
  readonly waysFrom: ReadonlyMap<string, readonly Way[]>;
}

/** Reads the states of a machine and the transitions between them from its definition. */
function readChart(machine: AnyStateMachine, show: (leaf: AnyStateNode) => string): Chart {
  const waysFrom = new Map<string, Way[]>();
  for (const leaf of leavesOf(machine.root)) {
    const from = show(leaf);
    const ways = waysFrom.get(from) ?? [];
    waysFrom.set(from, ways);
    for (let node: AnyStateNode | undefined = leaf; node !== undefined; node = node.parent) {
      for (const transition of [...[...node.transitions.values()].flat(), ...(node.always ?? [])]) {
        for (const target of transition.target ?? []) {
          const to = show(entered(target));
          if (to !== from) ways.push({ to, isTold: transition.eventType.startsWith('job.') });
        }
      }
    }
  }
  return { initial: show(entered(machine.root)), waysFrom };
}

function leavesOf(node: AnyStateNode): AnyStateNode[] {
  const children = Object.values(node.states) as AnyStateNode[];
  return children.length === 0 ? [node] : children.flatMap(leavesOf);
}

function entered(node: AnyStateNode): AnyStateNode {
  const next = node.type === 'compound' ? node.initial.target[0] : undefined;
  return next === undefined ? node : entered(next as AnyStateNode);
}

function executionChart(): Chart {
  return readChart(executionMachine as AnyStateMachine, (leaf) => leaf.key.toUpperCase());
}

/** How a job with quarantined regions ends; the catalogue has no quarantine. */
const withQuarantine = 'INCOMPLETE';

/**
 * The chart of a job. A command before its master runs ends a job on the spot; the catalogue has no such jobs, so those
 * transitions are left out.
 */
function jobChart(): Chart {
  const chart = readChart(jobMasterMachine as AnyStateMachine, (leaf) =>
    shownJobStatus(leaf.path[0] as JobStatus, leaf.tags.includes('restarting')),
  );
  const ends = new Set(terminalOf(chart));
  const waysFrom = new Map(
    [...chart.waysFrom]
      .filter(([state]) => state !== withQuarantine)
      .map(([state, ways]) => [state, ways.filter(({ to }) => to !== withQuarantine)]),
  );
  waysFrom.set(
    chart.initial,
    (waysFrom.get(chart.initial) ?? []).filter(({ to }) => !ends.has(to)),
  );
  return { ...chart, waysFrom };
}

function terminalOf({ waysFrom }: Chart): string[] {
  return [...waysFrom].filter(([, ways]) => ways.length === 0).map(([state]) => state);
}

/** Terminal states that only a command leads to, with whatever still runs: another master may continue. */
function locallyTerminalOf(chart: Chart): string[] {
  const all = [...chart.waysFrom.values()].flat();
  return terminalOf(chart).filter((state) => all.some(({ to, isTold }) => to === state && isTold));
}

type SortedTable = Readonly<Record<string, readonly string[]>>;

function sortedTable(table: SortedTable): Record<string, string[]> {
  return Object.fromEntries(Object.entries(table).map(([state, next]) => [state, sorted(next)]));
}

/** A command to a job in some status: does it have any effect? */
const commands: Readonly<Record<string, (rig: JobRig) => void>> = {
  failJob: (rig) => rig.failGlobally('again'),
  cancelJob: (rig) => rig.cancel(),
  suspendJob: (rig) => rig.suspend('again'),
};

function changedBy(command: (rig: JobRig) => void, status: string): boolean {
  const rig = new JobRig({ vertices: [{ id: 'v', parallelism: 2 }], restart: noRestart() });
  leadJob(rig, status);
  const { events, canceled, deployed } = rig.cluster;
  const before = events.length + canceled.length + deployed.length;
  command(rig);
  return rig.status !== status || events.length + canceled.length + deployed.length !== before;
}

const enumeration: Handler = ({ given, when }) => {
  const { states, statuses, jobStatuses = statuses } = given;
  const [step, ...more] = when;
  if (step === undefined || more.length > 0) throw new CannotRun(`${when.length} questions instead of one`);
  const { op } = step;
  if ((states === undefined) === (jobStatuses === undefined)) throw new CannotRun('whose states are asked about?');
  const names = listOf<string>(states ?? jobStatuses, 'states');
  const chart = states === undefined ? jobChart() : executionChart();
  for (const name of names) {
    if (!chart.waysFrom.has(name)) throw new CannotRun(`state ${JSON.stringify(name)} is not known`);
  }
  const asked = (found: readonly string[]): string[] => found.filter((name) => names.includes(name));
  const terminal = asked(terminalOf(chart));
  const local = asked(locallyTerminalOf(chart));
  const global = terminal.filter((state) => !local.includes(state));
  const ends = states === undefined ? { globallyTerminal: global, locallyTerminal: local, terminal } : { terminal };
  const judges = Object.fromEntries(Object.entries(ends).map(([field, found]) => [field, equalsAs(sorted, found)]));

  if (op === 'isTerminal') return judges;
  if (op === 'transitions' && states === undefined) {
    const table = names.map((name) => [name, [...new Set((chart.waysFrom.get(name) ?? []).map(({ to }) => to))]]);
    return { ...judges, transitions: equalsAs(sortedTable, Object.fromEntries(table)), initial: equals(chart.initial) };
  }
  const command = Object.hasOwn(commands, String(op)) ? commands[String(op)] : undefined;
  if (command === undefined || states !== undefined) throw new CannotRun(`question ${JSON.stringify(op)} is not known`);
  const changed = names.map((name): [string, boolean] => [name, changedBy(command, name)]);
  const distinct = [...new Set(changed.map(([, value]) => value))];
  return { changed: equals(distinct.length === 1 ? distinct[0] : Object.fromEntries(changed)) };
};

/** Handler of tables of states, of the area `state-machine`. */
export const chartHandlers: Readonly<Record<string, Handler>> = {
  enum: knowing(
    {
      given: ['states', 'statuses', 'jobStatuses'],
      ops: {
        isTerminal: [],
        transitions: [],
        ...Object.fromEntries(Object.keys(commands).map((command) => [command, []])),
      },
    },
    enumeration,
  ),
};
