export const rowCount = 200;

export type JobKind = 'streaming' | 'batch';

/** The how manyth call of a method of the sink at which the process kills itself. */
export type Strike = `${number} ${'before' | 'after'} ${'open' | 'commitPrepared' | 'commit'}`;

/** What a process is told to run. Plain data. */
export interface KilledJob {
  readonly kind: JobKind;
  readonly table: string;
  readonly strike: Strike | 'never';
  readonly connection: Readonly<Record<string, unknown>>;
  readonly state: string;
}
