import {
  type AttemptFilter,
  forEachSegment,
  highestAttempt,
  tasksShown,
  timeRange,
} from '../../../src/inspector/page/timeline/gantt-segments.ts';
import { moved, tickLabel, ticksOf, zoomed } from '../../../src/inspector/page/timeline/time-axis.ts';
import { RunPicture } from '../../../src/inspector/recording/run-picture.ts';
import { eventLine, runLine, taskLine } from '../recorded-lines.ts';

/** a[0] fails at its first attempt and waits for a backoff; a[1] is canceled because of it; a[2] finishes. */
function story(): RunPicture {
  const picture = new RunPicture(runLine([['a', 3]], []));
  const reach = (task: number, attempt: number, ...states: [state: string, atMs: number][]): void => {
    for (const [state, atMs] of states) picture.next(taskLine(task, attempt, state, atMs));
  };
  reach(0, 0, ['created', 0], ['deploying', 10], ['running', 20], ['failed', 50]);
  reach(1, 0, ['created', 0], ['deploying', 10], ['running', 20], ['canceling', 52], ['canceled', 60]);
  reach(2, 0, ['created', 0], ['deploying', 10], ['running', 25], ['finished', 55]);
  reach(0, 1, ['created', 80], ['deploying', 81], ['running', 90]);
  picture.next(eventLine({ type: 'region.stateChanged', atMs: 100, region: 1 as never, state: 'restarting' }));
  return picture;
}

function segments(task: number, filter: AttemptFilter = 'all'): string[] {
  const found: string[] = [];
  const picture = story();
  forEachSegment(picture, task, filter, (kind, fromMs, toMs, row) =>
    found.push(`#${picture.attempts.attempt.at(row)} ${kind} ${fromMs}-${toMs}`),
  );
  return found;
}

describe('the timeline of a task', () => {
  it('has a stretch for each thing it does, until now', () => {
    expect(segments(0)).toEqual([
      '#1 waiting 80-81',
      '#1 deploying 81-90',
      '#1 running 90-100',
      '#0 backoff 50-80',
      '#0 waiting 0-10',
      '#0 deploying 10-20',
      '#0 failed 20-50',
    ]);
    expect(segments(2)).toEqual(['#0 waiting 0-10', '#0 deploying 10-25', '#0 finished 25-55']);
  });

  it('shows canceling, and the backoff that has not ended', () => {
    expect(segments(1)).toEqual([
      '#0 backoff 60-100',
      '#0 waiting 0-10',
      '#0 deploying 10-20',
      '#0 canceled 20-52',
      '#0 canceling 52-60',
    ]);
  });

  it('shows one attempt alone, with a time axis of its own', () => {
    expect(segments(0, 1)).toEqual(['#1 waiting 80-81', '#1 deploying 81-90', '#1 running 90-100']);
    expect(segments(0, 'latest')).toEqual(segments(0, 1));
    expect(timeRange(story(), 1)).toEqual({ fromMs: 80, toMs: 100 });
    expect(timeRange(story(), 'all')).toEqual({ fromMs: 0, toMs: 100 });
    expect(highestAttempt(story())).toBe(1);
  });

  it.each<[what: string, filter: Parameters<typeof tasksShown>[1], tasks: number[]]>([
    ['all', { attempt: 'all', jobVertex: undefined, state: undefined }, [0, 1, 2]],
    ['tasks that ran again', { attempt: 'repeated', jobVertex: undefined, state: undefined }, [0]],
    ['tasks with a second attempt', { attempt: 1, jobVertex: 0, state: undefined }, [0]],
    ['tasks in a state', { attempt: 'all', jobVertex: undefined, state: 'canceled' }, [1]],
    ['none', { attempt: 'all', jobVertex: undefined, state: 'created' }, []],
  ])('filters: %s', (_, filter, tasks) => {
    expect(tasksShown(story(), filter)).toEqual(tasks);
  });
});

describe('the axis of time', () => {
  it.each([
    [0, 100, 5, 20, ['0', '20 ms', '40 ms', '60 ms', '80 ms', '100 ms']],
    [0, 5_600, 6, 1_000, ['0', '1 s', '2 s', '3 s', '4 s', '5 s']],
    [60_000, 200_000, 3, 50_000, ['1:40', '2:30', '3:20']],
  ])('from %i to %i has round ticks', (fromMs, toMs, count, stepMs, labels) => {
    const ticks = ticksOf(fromMs, toMs, count);
    expect(ticks.stepMs).toBe(stepMs);
    expect(ticks.at.map((tick) => tickLabel(tick, ticks.stepMs))).toEqual(labels);
  });

  it('is enlarged around a time, moved, and never leaves the run', () => {
    const whole = { fromMs: 0, toMs: 100 };
    expect(zoomed(whole, whole, 0.5, 40)).toEqual({ fromMs: 20, toMs: 70 });
    expect(zoomed({ fromMs: 20, toMs: 70 }, whole, 4, 40)).toBeUndefined();
    expect(moved({ fromMs: 20, toMs: 70 }, whole, 500)).toEqual({ fromMs: 50, toMs: 100 });
    expect(moved({ fromMs: 20, toMs: 70 }, whole, -500)).toEqual({ fromMs: 0, toMs: 50 });
  });
});
