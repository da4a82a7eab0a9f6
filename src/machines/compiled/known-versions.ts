import xstate from 'xstate/package.json' with { type: 'json' };

/** Versions of XState whose interpreter the compiled form was compared with. */
export const knownVersions: readonly string[] = ['5.33.0', '5.33.1', '5.33.2', '5.33.3'];

/** The version of XState that is installed. */
export const installedVersion: string = xstate.version;
