/**
 * An answer, as long as somebody waits for it: a storage that never answers must keep nothing for ever.
 *
 * @param tooLate takes an answer that nobody waits for. Default: it is dropped
 * @throws the reason of the signal, once it is aborted (as a rejection)
 */
export function untilAborted<Value>(
  answer: Promise<Value>,
  signal: AbortSignal,
  tooLate: (value: Value) => void = () => {},
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    answer
      .then((value) => (signal.aborted ? tooLate(value) : resolve(value)), reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
