import type { ExecutionVertexId } from '../../../ids.ts';
import { executorList, type KnownExecutor } from '../../recording/executor-list.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { ConfirmButton } from '../shell/confirm-button.tsx';
import { DataTable } from '../shell/data-table.tsx';
import { counted, formatBytes, formatCount, formatDuration, formatOffset } from '../shell/format.ts';
import { StateChip } from '../shell/state-bar.tsx';
import { useStore } from '../store/store-context.ts';

/** Where the tasks run: each executor with its slots and tasks, what it holds, and those that are gone. */
export function ExecutorsView({ picture }: { picture: RunPicture }) {
  const executors = executorList(picture);
  const present = executors.filter(({ goneMs }) => goneMs === undefined);
  const gone = executors.filter(({ goneMs }) => goneMs !== undefined).reverse();
  return (
    <div class="view">
      <section class="stage scrolls" aria-label="Executors">
        <h2 class="part">{summaryOf(present)}</h2>
        <PresentTable picture={picture} executors={present} />
        {gone.length > 0 && <h2 class="part">Gone</h2>}
        {gone.length > 0 && <GoneTable picture={picture} executors={gone} />}
      </section>
    </div>
  );
}

interface TableProps {
  readonly picture: RunPicture;
  readonly executors: readonly KnownExecutor[];
}

/** `2 executors, 3 of 8 slots used` */
function summaryOf(executors: readonly KnownExecutor[]): string {
  const used = executors.reduce((sum, { usedSlots }) => sum + usedSlots, 0);
  const slots = executors.reduce((sum, one) => sum + (one.slots === null ? Infinity : (one.slots ?? 0)), 0);
  const of = slots === Infinity ? '' : ` of ${formatCount(slots)}`;
  return `${counted(executors.length, 'executor')}, ${formatCount(used)}${of} slots used`;
}

/** Tasks that are named. */
const mostNames = 2;

function PresentTable({ picture, executors }: TableProps) {
  const { graph } = picture.shape;
  const isLive = useStore().isLive.value;
  return (
    <DataTable
      label="Each executor"
      rowCount={executors.length}
      rowAt={(at) => executors[at] as KnownExecutor}
      empty="No executor has registered."
      columns={[
        {
          title: 'Executor',
          cell: ({ executor, incarnation }) => (
            <>
              {executor} <span class="muted">{incarnation !== undefined && `incarnation ${incarnation}`}</span>
            </>
          ),
        },
        { title: 'State', cell: ({ state }) => <StateChip state={state} /> },
        { title: 'Slots used', cell: (executor) => <Slots executor={executor} /> },
        {
          title: 'Runs',
          cell: ({ tasks, taskCount }) => {
            const names = tasks.slice(0, mostNames).map((task) => graph.nameOf(task as ExecutionVertexId));
            const more = taskCount - names.length;
            return names.length === 0 ? '–' : `${names.join(', ')}${more > 0 ? ` and ${formatCount(more)} more` : ''}`;
          },
        },
        {
          title: 'Heartbeat',
          isNumber: true,
          cell: ({ silentMs }) => (silentMs === undefined ? 'none' : `${formatDuration(silentMs)} ago`),
        },
        { title: 'In memory', isNumber: true, cell: ({ memoryBytes }) => formatBytes(memoryBytes) },
        { title: 'On disk', isNumber: true, cell: ({ diskBytes }) => formatBytes(diskBytes) },
        { title: 'Since', isNumber: true, cell: ({ registeredMs }) => offsetOf(picture, registeredMs) },
        ...(isLive ? [{ title: 'Act', cell: (executor: KnownExecutor) => <Actions {...executor} /> }] : []),
      ]}
    />
  );
}

function GoneTable({ picture, executors }: TableProps) {
  return (
    <DataTable
      label="Executors that are gone"
      rowCount={executors.length}
      rowAt={(at) => executors[at] as KnownExecutor}
      columns={[
        { title: 'Executor', cell: ({ executor }) => executor },
        { title: 'State', cell: ({ state }) => <StateChip state={state} /> },
        { title: 'Since', isNumber: true, cell: ({ registeredMs }) => offsetOf(picture, registeredMs) },
        { title: 'Until', isNumber: true, cell: ({ goneMs }) => offsetOf(picture, goneMs) },
        { title: 'Because', cell: ({ why }) => why },
      ]}
    />
  );
}

function offsetOf({ run }: RunPicture, atMs: number | undefined): string {
  return atMs === undefined ? '–' : formatOffset(atMs - run.atMs);
}

function Slots({ executor: { usedSlots, slots } }: { executor: KnownExecutor }) {
  if (slots === undefined) return <>–</>;
  if (slots === null) return <>{formatCount(usedSlots)}, no limit</>;
  return (
    <span class="bar-with-text">
      <span class="state-bar" aria-hidden="true">
        <span class="state-running" style={{ width: `${(usedSlots / slots) * 100}%` }} />
      </span>
      {formatCount(usedSlots)} of {formatCount(slots)}
    </span>
  );
}

function Actions({ executor, state }: KnownExecutor) {
  const store = useStore();
  const refusal = store.refusal.value;
  const body = { executor };
  return (
    <>
      {state === 'registered' && (
        <ConfirmButton
          label="Drain"
          question={`Drain ${executor}? It gets no more tasks, and goes when its tasks have ended and its results are read. Another one takes its place.`}
          confirm="Drain it"
          onConfirm={() => void store.act({ action: 'drain-executor', body }, `${executor} drains`)}
        />
      )}{' '}
      <ConfirmButton
        label="Kill"
        isDangerous
        disabled={refusal !== undefined}
        title={refusal}
        question={`Kill ${executor} with its tasks and results, like a machine that is switched off? Another one replaces it.`}
        confirm="Kill it"
        onConfirm={() => void store.act({ action: 'lose-executor', body }, `${executor} is killed`)}
      />
    </>
  );
}
