import type { JobEvent } from '../../../src/index.ts';
import { decisionText } from '../../../src/inspector/page/failures/decision-text.ts';
import { noticeText } from '../../../src/inspector/page/failures/notice-text.ts';
import { outcomeOf, rootFailures } from '../../../src/inspector/page/failures/root-failures.ts';
import type { RecordedDecision } from '../../../src/inspector/recording/recording-line.ts';
import { RunPicture } from '../../../src/inspector/recording/run-picture.ts';
import { told } from '../../run/folds/told.ts';
import { asRead, eventLine, runLine } from '../recorded-lines.ts';

//  a[0..1] ─┤├▶ b[0..1]     regions 0 to 3
const run = runLine(
  [
    ['a', 2],
    ['b', 2],
  ],
  [['a', 'blocking', 'b']],
);

const { failed, decided, refused, completed } = told;
const cause = new Error('the database is away');
const quarantined = {
  type: 'region.quarantined',
  ...{ atMs: 0, failover: 1, region: 2, task: 'b[0]', taskCount: 1, failures: 3, cause },
  why: 'it failed 3 times within 50 ms',
} as unknown as JobEvent;
const stopped = { quarantined: [2], heldUp: [3] } as never;

/** What events amount to, also after they have been written in a `picture` line. */
function pictureOf(...events: JobEvent[]): RunPicture {
  const picture = new RunPicture(run);
  for (const event of events) picture.next(asRead(eventLine(event)));
  return RunPicture.from(run, asRead(picture.toPlain()));
}

describe('the outcome of a failure', () => {
  it.each<[outcome: string, events: JobEvent[]]>([
    ['being decided', [failed(1, 'b[0]')]],
    ['mending', [failed(1, 'b[0]'), decided(1, [2])]],
    ['mended in 38 ms', [failed(1, 'b[0]'), decided(1, [2]), completed(1, 38)]],
    ['ended the job', [failed(1, 'b[0]'), refused(1, 'too often')]],
    ['its region is quarantined', [failed(1, 'b[0]'), decided(1, [2, 3], stopped), quarantined, completed(1, 3, [])]],
    ['its region is quarantined', [failed(1, 'b[0]'), decided(1, [2, 3], { quarantined: [2 as never] }), quarantined]],
    ['held up by quarantine', [failed(1, 'b[1]'), decided(1, [3], { heldUp: [3 as never] }), completed(1, 3, [])]],
  ])('%s', (outcome, events) => {
    const [failure] = rootFailures(pictureOf(...events));
    expect(failure && outcomeOf(failure.root)).toBe(outcome);
  });

  it('of a quarantined region has the reason, and no time to running', () => {
    const [failure] = rootFailures(
      pictureOf(failed(1, 'b[0]'), decided(1, [2, 3], stopped), quarantined, completed(1, 3, [])),
    );
    expect(failure?.root.receipt).toMatchObject({
      why: 'its region is quarantined: it failed 3 times within 50 ms',
      tasksRestarted: 0,
    });
    expect(failure?.root.receipt.recoveryMs).toBeUndefined();
    expect(failure?.root.completedMs).toBeUndefined();
  });
});

describe('a decision in words', () => {
  it.each<[text: string, decided: JobEvent]>([
    ['Restart 1 region (2) with 1 task at once.', decided(1, [2])],
    [
      'Restart 3 regions (0, 2–3) with 3 tasks after 7.0 ms. 4 restarts left.',
      decided(1, [0, 2, 3], { delayMs: 7, restartsLeft: 4 }),
    ],
    ['Nothing restarts. 1 region (2) quarantined. 1 region (3) held up by quarantine.', decided(1, [2, 3], stopped)],
    [
      'Restart 1 region with 1 task at once. 1 region (2) quarantined. 1 region (3) held up by quarantine.',
      decided(1, [1, 2, 3], { taskCount: 1, quarantined: [2 as never], heldUp: [3 as never] }),
    ],
  ])('%s', (text, event) => {
    const decision = pictureOf(failed(1, 'b[0]'), event).failovers.get(1)?.decided;
    expect(decisionText(decision as RecordedDecision)).toBe(text);
  });
});

describe('notices', () => {
  it.each<[text: string, event: object]>([
    ['region 2 is quarantined: it failed 3 times within 50 ms; last b[0]: the database is away', quarantined],
    ['region 2 is released from quarantine, and restarts', { type: 'region.released', failover: 1, region: 2 }],
    [
      'a message "task.deploy" to executor local-0 was not valid and was ignored: it has no deployment',
      {
        ...{ type: 'message.invalid', executor: 'local-0', receiver: 'executor', message: 'task.deploy' },
        problem: 'it has no deployment',
      },
    ],
    ['executor local-0 is lost: the database is away', { type: 'executor.lost', executor: 'local-0', cause }],
  ])('%s', (text, event) => {
    expect(pictureOf({ atMs: 0, ...event } as JobEvent).notices.map(noticeText)).toEqual([text]);
  });
});
