/** Numbers the actors of a recording, from 0. */
export class ActorSequence {
  #count = 0;

  next(): number {
    return this.#count++;
  }
}
