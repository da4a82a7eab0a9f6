/** The version of the package. A test compares it with package.json. */
export const version = '0.1.0';

/**
 * The version of the protocol between the master and executors. Raise it when a message changes its form or meaning: a
 * master refuses an executor that speaks another version.
 */
export const protocolVersion = 5;
