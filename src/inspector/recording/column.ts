type NumberArray = Int32Array | Uint8Array | Float64Array;

/** A growing column of numbers. */
export class Column {
  readonly #create: new (
    length: number,
  ) => NumberArray;
  #values: NumberArray;
  #length = 0;

  constructor(create: new (length: number) => NumberArray) {
    this.#create = create;
    this.#values = new create(64);
  }

  get length(): number {
    return this.#length;
  }

  /** The values; a view, not a copy. */
  get values(): NumberArray {
    return this.#values.subarray(0, this.#length);
  }

  at(row: number): number {
    return this.#values[row] as number;
  }

  set(row: number, value: number): void {
    this.#values[row] = value;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new this.#create(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** Keeps only some rows, given in ascending order. */
  keep(rows: readonly number[]): void {
    for (const [to, from] of rows.entries()) this.#values[to] = this.at(from);
    this.#length = rows.length;
  }
}
