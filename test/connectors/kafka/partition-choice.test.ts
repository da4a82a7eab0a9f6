import { PartitionChoice } from '../../../src/connectors/kafka/sent-record.ts';

describe('the partition of a record', () => {
  it('is that of its key, as other producers for Kafka choose it', () => {
    const choice = new PartitionChoice(0);
    // From the tests of Kafka's own Utils.murmur2.
    const hashes: Readonly<Record<string, number>> = {
      '21': -973_932_308,
      foobar: -790_332_482,
      'a-little-bit-long-string': -985_981_536,
      'a-little-bit-longer-string': -1_486_304_829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58_897_971,
      abc: 479_470_107,
    };
    const found = Object.keys(hashes).map((key) => choice.of(Buffer.from(key)));
    expect(found).toEqual(Object.values(hashes).map((hash) => hash & 0x7f_ff_ff_ff));
  });

  it('without a key is one for each batch, and the next for the next', () => {
    const choice = new PartitionChoice(3);
    const first = [choice.of(null), choice.of(null)];
    choice.nextBatch();
    expect([...first, choice.of(null)]).toEqual([3, 3, 4]);
  });
});
