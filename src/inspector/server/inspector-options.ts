import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Redact } from '../recording/plain-value.ts';
import { checkBoolean, checkFunction, checkInteger, checkOptions, type OptionNames } from '../../options.ts';
import { drawToken } from './access.ts';

/** Options of an inspector. */
export interface InspectorOptions {
  /** The path below which it is mounted: `/inspector`. Default: the root. */
  readonly basePath?: string | undefined;
  /** What a request must have; at least 16 characters. Default: drawn anew at each start. */
  readonly token?: string | undefined;
  /**
   * Host names that requests may name besides those of this machine (`localhost`, `127.0.0.1`, `[::1]`), without a port.
   * For an inspector that is mounted in a server with a name of its own.
   */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * Whether runs may be broken on purpose from the page: fail a task, lose a partition or an executor, fill the disk,
   * slow a consumer. Default: unless `NODE_ENV` is `production`.
   */
  readonly allowBreaking?: boolean | undefined;
  /**
   * Whether tools that are connected as receivers of XState may send events to actors, which can break a run. Default
   * false. Where `NODE_ENV` is `production`, it also takes `allowBreaking`.
   */
  readonly allowSend?: boolean | undefined;
  /** Replaces what must not leave the run: in errors, events of actors and their contexts. Secrets are left out anyway. */
  readonly redact?: Redact | undefined;
}

/** Options of `inspect`. */
export interface InspectOptions extends Omit<InspectorOptions, 'basePath'> {
  /** The port on this machine. Default: one that is free; runs that are inspected without a port share it. */
  readonly port?: number | undefined;
  /** Whether the server keeps the process alive, to look at runs that have ended. Default false. */
  readonly keepOpen?: boolean | undefined;
}

/** The options of an inspector with every default filled in. */
export interface ResolvedInspectorOptions {
  /** Without a slash at its end. */
  readonly basePath: string;
  readonly token: string;
  readonly allowedHosts: readonly string[];
  readonly allowBreaking: boolean;
  readonly allowSend: boolean;
  readonly redact: Redact | undefined;
}

const inspectorOptionNames: OptionNames<InspectorOptions> = {
  basePath: true,
  token: true,
  allowedHosts: true,
  allowBreaking: true,
  allowSend: true,
  redact: true,
};

const { basePath: _, ...namesWithoutPath } = inspectorOptionNames;

const inspectOptionNames: OptionNames<InspectOptions> = { ...namesWithoutPath, port: true, keepOpen: true };

/** @throws InvalidArgumentError for the first invalid option */
export function resolveInspectorOptions(options: InspectorOptions): ResolvedInspectorOptions {
  checkOptions('inspector', options, inspectorOptionNames);
  checkValues(options);
  const { basePath = '', token = drawToken(), allowedHosts = [], allowSend = false } = options;
  const { allowBreaking = process.env['NODE_ENV'] !== 'production' } = options;
  return {
    basePath: basePath.replace(/\/$/, ''),
    token,
    allowedHosts,
    allowBreaking,
    allowSend: allowSend && allowBreaking,
    redact: options.redact,
  };
}

/** @throws InvalidArgumentError for the first invalid option of `inspect` */
export function checkInspectOptions(options: InspectOptions): void {
  checkOptions('inspect', options, inspectOptionNames);
  checkValues(options);
  const { port = 0, keepOpen = false } = options;
  checkInteger('port', port, 0, 65_535);
  checkBoolean('keepOpen', keepOpen);
}

function checkValues(options: InspectorOptions): void {
  const { basePath = '', token, allowedHosts = [], allowBreaking = false, allowSend = false } = options;
  if (options.redact !== undefined) checkFunction('redact', options.redact);
  checkBoolean('allowBreaking', allowBreaking);
  checkBoolean('allowSend', allowSend);
  if (token !== undefined && !(typeof token === 'string' && /^[\w.~-]{16,}$/.test(token))) {
    throw new InvalidArgumentError('token', '(left out)', '16 or more letters, digits, `-`, `_`, `.` or `~`');
  }
  if (typeof basePath !== 'string' || !/^(\/[\w.~-]+)*\/?$/.test(basePath)) {
    throw new InvalidArgumentError('basePath', basePath, 'a path such as "/inspector"');
  }
  if (!Array.isArray(allowedHosts) || !allowedHosts.every(isHostname)) {
    throw new InvalidArgumentError('allowedHosts', allowedHosts, 'host names without a port: ["jobs.example.com"]');
  }
}

function isHostname(given: unknown): boolean {
  return typeof given === 'string' && URL.canParse(`http://${given}`) && new URL(`http://${given}`).hostname === given;
}
