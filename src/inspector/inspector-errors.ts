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
