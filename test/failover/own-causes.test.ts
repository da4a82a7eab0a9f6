import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { locationIn } from '../../src/failover/own-causes.ts';
import type { AttemptNumber, PartitionId, RunId } from '../../src/ids.ts';

const [own, inner] = ['run-1', 'run-2'] as RunId[];
const place = { file: 'spill/3.bin', offset: 17 };
const lost = (run: RunId | undefined, where: { location?: typeof place; cause?: unknown }) =>
  new PartitionLostError(
    { partition: 3 as PartitionId, attempt: 0 as AttemptNumber, run: run as RunId },
    'gone',
    where,
  );
const plain = (cause: unknown) => new Error('plain', { cause });

describe('the place of a damaged result on disk', () => {
  it.each<{ chain: string; cause: Error; is: typeof place | undefined }>([
    { chain: 'lost here', cause: lost(own, { location: place }), is: place },
    { chain: 'plain ← lost here', cause: plain(lost(own, { location: place })), is: place },
    { chain: 'lost ← lost here', cause: lost(own, { cause: lost(own, { location: place }) }), is: place },
    {
      chain: 'lost ← what says where',
      cause: lost(own, { cause: Object.assign(plain(0), { location: place }) }),
      is: place,
    },
    { chain: 'plain', cause: plain(plain(undefined)), is: undefined },
    { chain: 'lost, in memory', cause: lost(own, {}), is: undefined },
    { chain: 'lost here by an inner run', cause: lost(inner, { location: place }), is: undefined },
    {
      chain: 'lost ← lost here by an inner run',
      cause: lost(own, { cause: lost(inner, { location: place }) }),
      is: undefined,
    },
    {
      chain: 'lost ← lost by an inner run ← what says where: that is the inner one’s too',
      cause: lost(own, { cause: lost(inner, { cause: Object.assign(plain(0), { location: place }) }) }),
      is: undefined,
    },
    {
      chain: 'lost here ← lost there by an inner run',
      cause: lost(own, { location: place, cause: lost(inner, { location: { file: 'other', offset: 1 } }) }),
      is: place,
    },
    {
      chain: 'half a place',
      cause: Object.assign(plain(0), { location: { file: 'spill/3.bin' } }),
      is: undefined,
    },
  ])('$chain: $is', ({ cause, is }) => {
    expect(locationIn(cause, own)).toEqual(is);
  });
});
