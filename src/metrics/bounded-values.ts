/** Stands for all further values of a label. */
const otherValue = 'other';

const mostCharacters = 120;

/** The values of a label: the first ones are told apart, and all further ones are `other`. */
export class BoundedValues {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(value: string): string {
    const cut = value.length <= mostCharacters ? value : `${value.slice(0, mostCharacters - 1)}…`;
    if (this.#known.has(cut)) return cut;
    if (this.#known.size >= this.#most) return otherValue;
    this.#known.add(cut);
    return cut;
  }
}
