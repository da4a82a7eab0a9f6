import type { LinkPorts } from '../../src/actors/local-link.ts';
import type { ExecutorId } from '../../src/ids.ts';
import type { OwnerMessage, ReaderMessage } from '../../src/partitions/remote/exchange-messages.ts';
import { RemoteResults } from '../../src/partitions/remote/remote-results.ts';
import { ResultServer, type ServedResults } from '../../src/partitions/remote/result-server.ts';
import type { ResultPartition } from '../../src/partitions/result-partition.ts';
import { roughLink } from '../../src/testing/rough-link.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';
import { moving } from '../../src/testing/workers/worker-link.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import type { Exchange } from './exchanges.ts';

export const [readingExecutor, owner] = ['reading', 'owner'] as [ExecutorId, ExecutorId];

/** Another executor reads the results of an owner over a link. */
export function linked(results: ServedResults, link: LinkPorts, freeze = true) {
  const [reading, serving] = link<ReaderMessage, OwnerMessage>();
  const remote = new RemoteResults({ freeze });
  const server = new ResultServer(results);
  remote.connect(owner, moving(reading));
  server.serve(readingExecutor, moving(serving));
  return { remote, server };
}

/** The results of an executor of which all exist. */
export function existing(find: ServedResults['find']): ServedResults {
  return { find, arrivals: { isToCome: () => false, until: () => Promise.resolve() } };
}

/** An exchange whose results are read by another executor, over a link with drawn delays. */
export function overLink(exchange: () => Exchange, seed: number): () => Exchange {
  const random = seededRandom(seed);
  return () => {
    const here = exchange();
    const environment = virtualEnvironment();
    const { clock } = environment;
    const link = roughLink(clock, random);
    const readable = (partition: ResultPartition): ResultPartition => {
      const { remote } = linked(
        existing(() => partition),
        link,
      );
      return new Proxy(partition, {
        get: (target, name) => {
          if (name === 'read') return remote.source(partition.id, owner).read;
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          return (...given: unknown[]): unknown => {
            const answer: unknown = Reflect.apply(value, target, given);
            return name === 'resume' ? readable(answer as ResultPartition) : answer;
          };
        },
      });
    };
    return {
      ...here,
      create: (subpartitionCount) => readable(here.create(subpartitionCount)),
      settle: () => {
        for (let ran = -1; ran < clock.ranCount; ) {
          ran = clock.ranCount;
          here.settle();
          environment.runUntilIdle();
        }
      },
    };
  };
}
