import { KintsugiError } from '../errors/kintsugi-error.ts';

/** Something else listens at the port of the inspector. */
export class PortInUseError extends KintsugiError {
  readonly code = 'PORT_IN_USE';
  override readonly recovery = 'never';
  readonly port: number;

  constructor(port: number, options?: { cause?: unknown }) {
    super(`Port ${port} is in use. Give \`inspect\` another port, or none for one that is free`, options);
    this.port = port;
  }
}

/** An optional package is needed and not installed. */
export class MissingPackageError extends KintsugiError {
  readonly code = 'PACKAGE_MISSING';
  override readonly recovery = 'never';
  /** Its name in the registry. */
  readonly package: string;

  /** @param why it is needed, as a sentence without its end */
  constructor(name: string, why: string, options?: { cause?: unknown }) {
    super(`${why}, which need the package ${name}. Run \`npm install ${name}\``, options);
    this.package = name;
  }
}
