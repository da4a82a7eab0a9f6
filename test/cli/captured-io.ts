import type { CommandIo, TextSink } from '../../src/cli/command-io.ts';
import { type Environment, systemEnvironment } from '../../src/environment.ts';

/** A stream whose text is kept. */
export class CapturedSink implements TextSink {
  text = '';
  readonly isTTY: boolean;
  columns: number | undefined;
  rows: number | undefined;

  constructor({ isTTY = false, columns, rows }: { isTTY?: boolean; columns?: number; rows?: number } = {}) {
    this.isTTY = isTTY;
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string, done?: () => void): boolean {
    this.text += text;
    done?.();
    return true;
  }
}

/** What a command sees of a process that is none. */
export class CapturedIo implements CommandIo {
  readonly stdout = new CapturedSink();
  readonly stderr = new CapturedSink();
  readonly env: Readonly<Record<string, string>> = {};
  readonly environment: Environment;

  constructor(environment: Environment = systemEnvironment()) {
    this.environment = environment;
  }

  onOtherWrites(): () => void {
    return () => {};
  }

  onCancel: CommandIo['onCancel'] = () => () => {};
}
