import { blankList } from '../records/blank-list.ts';

/** Texts of a column, by number. */
export interface WireTexts {
  readonly kind: 'told texts';
  /** The number of each text, in the order in which they were told. */
  readonly values: Uint16Array<ArrayBuffer>;
  /** The texts that are told now. */
  readonly fresh: readonly string[];
  /** Whether earlier ones are forgotten. */
  readonly isNew: boolean;
}

/** The most texts that both sides remember of a column, and the length of the longest. */
const most = { texts: 8_192, length: 64 } as const;

/** After this many texts, one in five has to be one that was told: so many repeat of `most.texts` that are drawn. */
const learning = { texts: 4_096, repeated: 1 / 5 } as const;

/** How many batches a column rests whose texts rarely repeat. It doubles each time. */
const rest = { first: 64, last: 1_024 } as const;

/**
 * The texts of one column that the other side has heard, so that each is sent once: keys repeat, and their consumer
 * shares them as their producer did. A column whose texts rarely repeat costs next to nothing.
 */
export class ToldTexts {
  readonly #numberByText = new Map<string, number>();
  /** Texts since it began. */
  #seen = 0;
  #restLeft = 0;
  #nextRest: number = rest.first;

  /** Undefined if the texts are to be sent as they are, or are not all texts. */
  encode(values: readonly unknown[]): WireTexts | undefined {
    if (this.#restLeft > 0) {
      this.#restLeft--;
      return undefined;
    }
    const isNew = this.#numberByText.size === 0;
    const numbers = new Uint16Array(values.length);
    const fresh: string[] = [];
    for (let index = 0; index < values.length; index++) {
      const text = values[index] as string;
      let number = this.#numberByText.get(text);
      if (number === undefined) {
        number = this.#numberByText.size;
        if (typeof text !== 'string') return this.#forget();
        if (number === most.texts && this.#seen > 4 * most.texts) return this.#again(values);
        if (number === most.texts || text.length > most.length) return this.#rest();
        this.#numberByText.set(text, number);
        fresh.push(text);
      }
      numbers[index] = number;
    }
    this.#seen += values.length;
    const areRepeated = this.#numberByText.size <= this.#seen * (1 - learning.repeated);
    if (this.#seen >= learning.texts && !areRepeated) this.#rest();
    return { kind: 'told texts', values: numbers, fresh, isNew };
  }

  #forget(): undefined {
    this.#numberByText.clear();
    this.#seen = 0;
  }

  /** Its texts do repeat, but there are others by now. */
  #again(values: readonly unknown[]): WireTexts | undefined {
    this.#forget();
    return this.encode(values);
  }

  #rest(): undefined {
    this.#forget();
    this.#restLeft = this.#nextRest;
    this.#nextRest = Math.min(rest.last, this.#nextRest * 2);
  }
}

/** The other side: the texts of one column that were told. */
export class HeardTexts {
  #texts: string[] = [];

  /** @throws Error that says what is wrong with the column */
  decode({ values, fresh, isNew }: WireTexts): string[] {
    if (isNew) this.#texts = [];
    for (const text of fresh) this.#texts.push(text);
    const texts = blankList(values.length) as string[];
    for (let index = 0; index < values.length; index++) {
      const text = this.#texts[values[index] as number];
      if (text === undefined) throw new Error(`a column refers to text ${values[index]} of ${this.#texts.length}`);
      texts[index] = text;
    }
    return texts;
  }
}
