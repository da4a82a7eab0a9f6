import type { DeterminismBrokenError } from '../../errors/result-errors.ts';
import { classifyFailure, type FailureClass } from '../../failover/failure-classifier.ts';
import type { TaskFailure } from '../../failover/failover-strategy.ts';
import { ownCauseWithCode } from '../../failover/own-causes.ts';
import { show } from '../../foreign-value.ts';
import type { ExecutionVertexId, FailoverId } from '../../ids.ts';
import { callNow } from '../../user-code.ts';
import type { JobServices } from '../job-services.ts';
import { loseResult, nameOfResult } from './result-losses.ts';

/** The parts of a job that it needs. */
type RecordServices = Pick<JobServices, 'ledger' | 'gateway' | 'observe' | 'environment' | 'failureHandling'>;

/**
 * Classifies failures with the user's classifiers and records them with the user's labels as they happen: lost results
 * and broken declarations are entered into the books, and observers are notified.
 */
export class FailureRecords {
  readonly #services: RecordServices;
  readonly #failedExtensions = new Set<string>();

  constructor(services: RecordServices) {
    this.#services = services;
  }

  classify({ vertex, cause }: Pick<TaskFailure, 'vertex' | 'cause'>): FailureClass {
    const { ledger, failureHandling } = this.#services;
    return classifyFailure(
      cause,
      failureHandling.classifiers,
      (classifier, reason) => this.extensionFailed(classifier, reason),
      {
        task: vertex === undefined ? undefined : ledger.graph.nameOf(vertex),
        run: ledger.run,
        partitionCount: ledger.graph.partitionCount,
        isPresent: (id) => ledger.attempts.isPresent(id),
      },
    );
  }

  record(failover: FailoverId, failure: TaskFailure, verdict: FailureClass): void {
    const { ledger, observe } = this.#services;
    const { vertex, alsoFailed = [], cause, lostPartitions } = failure;
    for (const partition of lostPartitions) loseResult(this.#services, partition, cause);
    if (vertex !== undefined) {
      if (this.#isLackOfRoom(cause)) ledger.declarations.loseRoom(ledger.regions.regionOf(vertex));
      if (verdict.kind === 'determinism-broken') this.#distrust(vertex, cause);
    }
    observe({
      type: 'task.failed',
      atMs: failure.atMs,
      failover,
      task: vertex === undefined ? undefined : ledger.graph.nameOf(vertex),
      attempt: failure.attempt,
      ...(alsoFailed.length > 0 && { alsoFailed: alsoFailed.map((task) => ledger.graph.nameOf(task.vertex)) }),
      place: failure.place,
      cause,
      classification: verdict.kind,
      ...(lostPartitions.length > 0 && {
        lostPartitions: lostPartitions.map((partition) => nameOfResult(this.#services, partition)),
      }),
      labels: this.#labels(failure),
    });
  }

  /** Whether a task lacks slots or disk space beside its results and their consumers. */
  #isLackOfRoom(cause: Error): boolean {
    const { run } = this.#services.ledger;
    return ownCauseWithCode(cause, ['NO_RESOURCE_AVAILABLE', 'DISK_BUDGET_EXCEEDED'], run) !== undefined;
  }

  /** A task wrote different records although it was declared deterministic. */
  #distrust(vertex: ExecutionVertexId, cause: Error): void {
    const { ledger, observe, environment } = this.#services;
    ledger.declarations.distrust(vertex);
    const broken = ownCauseWithCode<DeterminismBrokenError>(cause, ['DETERMINISM_BROKEN'], ledger.run);
    if (broken === undefined) return;
    const { id, operators = [id] } = ledger.graph.jobVertexOf(vertex);
    observe({
      type: 'determinism.broken',
      atMs: environment.clock.now(),
      task: ledger.graph.nameOf(vertex),
      operators,
      partition: nameOfResult(this.#services, broken.partition),
      subpartition: broken.subpartition,
      sequence: broken.sequence,
      cause,
    });
  }

  #labels(failure: TaskFailure): Readonly<Record<string, string>> {
    const labels = new Map<string, string>();
    for (const [index, enrich] of this.#services.failureHandling.enrichers.entries()) {
      const name = `failureEnrichers[${index}]`;
      const answer = callNow(name, () => enrich(failure));
      const named = answer.kind === 'error' ? answer : callNow(name, () => Object.entries(answer.value ?? {}));
      if (named.kind === 'error') this.extensionFailed(name, named.error);
      else for (const [key, label] of named.value) labels.set(key, typeof label === 'string' ? label : show(label));
    }
    // Safe for any name, even `__proto__`.
    return Object.fromEntries(labels);
  }

  /** Reports each failing extension once. */
  extensionFailed(extension: string, cause: Error): void {
    if (this.#failedExtensions.has(extension)) return;
    this.#failedExtensions.add(extension);
    const { observe, environment } = this.#services;
    observe({ type: 'failure.extensionFailed', atMs: environment.clock.now(), extension, cause });
  }
}
