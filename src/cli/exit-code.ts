/** The exit codes of the command line. A signal that cancels a run ends the process with 128 + its number. */
export const exitCodes = {
  /** The job finished; the command did what it was asked. */
  done: 0,
  /** The job failed; the command could not do what it was asked. */
  failed: 1,
  /** Unknown commands and options, a module without a job, a job that cannot run as described. Nothing has run. */
  usage: 2,
  /** Something else uses the state directory, the answers, an output or the port. Nothing has run; later it may. */
  inUse: 3,
  /** The job finished, but for quarantined regions and what depends on them: its output is incomplete. */
  incomplete: 4,
  /** SIGHUP, SIGINT and SIGTERM have canceled the run. */
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The signals that cancel a run. */
export type CancelSignal = 'SIGHUP' | 'SIGINT' | 'SIGTERM';
