import { map } from 'rxjs';
import { fromCallback } from 'xstate';
import {
  type FailoverRule,
  type FailoverStrategyEmitted,
  type FailoverStrategyEvent,
  type FailoverStrategyInput,
  type JobRun,
  type Logger,
  type RestartBackoffRule,
  restartAll,
  restartIndividual,
  restartPipelinedRegion,
} from '../../src/index.ts';
import { seededRandom, type SeededRandom, type SimulationOptions } from '../../src/testing/index.ts';

const deadlineMs = 50;

/** Misbehavior that an extension sometimes shows instead of its work. */
const manners: readonly ((given: unknown) => unknown)[] = [
  () => {
    throw new Error('rude');
  },
  () => Promise.reject(new Error('rude')),
  () => new Promise((resolve) => queueMicrotask(() => resolve({ kind: 'restart', regions: [0] }))),
  () => ({ kind: 'invalid', regions: 'all', canRestart: 'yes', delayMs: -1 }),
  () => ({ kind: 'restart', regions: [] }),
  () => undefined,
  (given) => {
    // Whoever writes into the error of a failure changes what the failure was, also for those who judge the run by it.
    if (given instanceof Error) return 'mine';
    for (const key of Object.keys(given as object)) (given as Record<string, unknown>)[key] = 'mine';
    return undefined;
  },
];

/** Draws extensions, observers and a logger that sometimes misbehave; none for most seeds. */
export function drawRudeExtensions(seed: number): Omit<SimulationOptions, 'seed'> {
  const random = seededRandom(seed).fork('rude extensions');
  if (!random.chance(0.2)) return {};
  const rude = (given: unknown): unknown => random.pick(manners)(given);
  const rudeNowAndThen = (given: unknown): unknown => (random.chance(0.3) ? rude(given) : undefined);
  const rule = random.pick([restartPipelinedRegion, restartAll, restartIndividual])();
  return {
    options: {
      ...(random.chance(0.5) && { failoverStrategy: drawStrategy(random, rule, rude) }),
      ...(random.chance(0.5) && { restartBackoff: drawBackoff(random, rude) }),
      ...(random.chance(0.5) && { failureClassifiers: [rudeNowAndThen as never] }),
      ...(random.chance(0.5) && { failureEnrichers: [rudeNowAndThen as never] }),
      decisionDeadlineMs: deadlineMs,
    },
    ...(random.chance(0.5) && { watch: (run: JobRun) => watchRudely(run, rudeNowAndThen) }),
    ...(random.chance(0.5) && { logger: rudeLogger(rudeNowAndThen) }),
  };
}

/** A rule, or an actor that also answers late, or twice. */
function drawStrategy(random: SeededRandom, rule: FailoverRule, rude: (given: unknown) => unknown) {
  const decide: FailoverRule = (failure, topology) =>
    random.chance(0.3)
      ? (rude(random.chance(0.5) ? failure : topology) as ReturnType<FailoverRule>)
      : rule(failure, topology);
  if (random.chance(0.5)) return decide;
  return fromCallback<FailoverStrategyEvent, FailoverStrategyInput, FailoverStrategyEmitted>(
    ({ receive, emit, input: { environment } }) => {
      const timers = new Set<unknown>();
      receive((event) => {
        if (event.type !== 'failover.requested') return;
        const { failover, failure, topology } = event;
        const answer = (by: FailoverRule): void =>
          emit({ type: 'failover.decided', failover, decision: by(failure, topology) });
        const late = (): void => answer(rule);
        if (random.chance(0.3)) timers.add(environment.clock.setTimeout(late, random.integer(0, 2 * deadlineMs)));
        else answer(decide);
        if (random.chance(0.3)) answer(decide);
      });
      return () => {
        for (const timer of timers) environment.clock.clearTimeout(timer);
      };
    },
  );
}

/** More failures than any correct drawn run has. */
const mostFailures = 40;

/** It counts by itself: after an invalid answer the actor's state is lost, with the counts of a rule. */
function drawBackoff(random: SeededRandom, rude: (given: unknown) => unknown): RestartBackoffRule {
  let failures = 0;
  const orRude = <Answer>(state: unknown, answer: Answer): Answer =>
    random.chance(0.1) ? (rude({ state }) as Answer) : answer;
  return {
    name: 'rude',
    initial: 0,
    onFailure: (state) => {
      failures++;
      return orRude(state, { state, newAttempt: true });
    },
    canRestart: (state) => orRude(state, failures <= mostFailures),
    delayMs: (state) => orRude(state, 10),
  };
}

function watchRudely(run: JobRun, rude: (given: unknown) => unknown): void {
  run.events$.subscribe(rude);
  run.events$.pipe(map(rude)).subscribe((answer) => answer);
  run.status$.subscribe(rude);
}

function rudeLogger(rude: (given: unknown) => unknown): Logger {
  return { debug: rude, info: rude, warn: rude, error: rude };
}
