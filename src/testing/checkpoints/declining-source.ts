import type { Source, SourceReader } from '../../operators/source.ts';
import { checkpointMoments, type Moments } from './moments.ts';

/** A source that cannot tell its position, or fails when it is asked, as drawn: at a barrier, or before a read. */
export function declining<Out>(source: Source<Out>, moments: Moments): Source<Out> {
  const opened = async (...given: Parameters<Source<Out>['open']>): Promise<SourceReader<Out>> => {
    const reader = await source.open(...given);
    return reader.position === undefined ? reader : decliningReader(reader, moments);
  };
  return {
    ...source,
    open: (...given) => (moments.mayBefall(checkpointMoments.position) ? opened(...given) : source.open(...given)),
  };
}

function decliningReader<Out>(reader: SourceReader<Out>, moments: Moments): SourceReader<Out> {
  return {
    read: (maxRecords) => reader.read(maxRecords),
    ...(reader.next && { next: () => reader.next?.() as Out }),
    ...(reader.locate && { locate: (record) => reader.locate?.(record) }),
    close: () => reader.close(),
    position: () => {
      const effect = moments.pass(checkpointMoments.position);
      if (effect === 'fails') throw new Error('the position failed as drawn');
      // A function is no plain data.
      return effect === 'declines' ? () => {} : reader.position?.();
    },
  };
}
