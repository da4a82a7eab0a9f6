import type { CheckpointId } from '../../src/ids.ts';
import type { OperatorDescription } from '../../src/operators/operator-description.ts';
import type { OperatorStage } from '../../src/operators/operator-stage.ts';
import type { StateBackend } from '../../src/operators/state/tables/state-table.ts';
import { readState } from '../../src/operators/state/read-state.ts';
import { writeState } from '../../src/operators/state/write-state.ts';
import { createOperatorChain } from '../../src/operators/task/operator-chain.ts';
import { memoryCheckpoints } from '../../src/partitions/checkpoints/checkpoint-storages.ts';
import { StageHarness } from './stage-driver.ts';

/** How a function reaches a state, whatever its kind. */
export interface Handle {
  get(name?: string): unknown;
  add?(value: unknown): void;
  set?(value: unknown, other?: unknown): void;
  entries?(): unknown;
}

type Tell = readonly [key: string, tell: (state: Handle) => unknown];

/** A process with one state, whose stages continue each other. */
export class StateRig {
  readonly harness = new StageHarness(8);
  readonly #storage = memoryCheckpoints();
  #stage: OperatorStage;
  #checkpoint = 0;

  readonly #backend: StateBackend | undefined;

  /** @param backend where its state is kept. Default: in memory */
  constructor(state: unknown, backend?: StateBackend) {
    this.#backend = backend;
    this.#stage = this.#create(state);
  }

  /** What a function of the process sees. */
  tell(...told: Tell): unknown {
    this.#stage.push([told]);
    return this.harness.pollAll(this.#stage).flat()[0];
  }

  /** Takes a checkpoint, and goes on, or continues from it with another declaration. */
  async checkpoint(continued?: unknown): Promise<number> {
    const checkpoint = ++this.#checkpoint as CheckpointId;
    const snapshot = this.#stage.snapshot(checkpoint);
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    const state = {
      input: { kind: 'gate', channels: [], order: undefined } as const,
      chain: snapshot.state,
      outputs: [],
    };
    const place = { storage: this.#storage, name: { scope: 'run', checkpoint, name: 'orders.0#0' } };
    const { handle, referencedBytes } = await writeState(place, state, this.harness.environment.clock);
    this.#stage.endCheckpoint?.(checkpoint, true);
    if (continued !== undefined) {
      const { chain } = await readState(this.#storage, structuredClone(handle), undefined, this.#backend);
      this.#stage.close();
      this.#stage = this.#create(continued);
      this.#stage.restore(chain);
    }
    return referencedBytes;
  }

  close(): void {
    this.#stage.close();
  }

  #create(state: unknown): OperatorStage {
    const description = {
      ...{ kind: 'process', keyOf: ([key]: Tell) => key, states: { cart: state } },
      onRecord: ([, tell]: Tell, { states }: { states: { cart: Handle } }, emit: (out: unknown) => void) =>
        emit(tell(states.cart)),
    };
    const createTable = this.#backend && ((uid: string) => (this.#backend as StateBackend).createTable(uid));
    const context = Object.assign(this.harness, { uids: ['orders'], createTable });
    return createOperatorChain([description as unknown as OperatorDescription], context.runtime, context);
  }
}
