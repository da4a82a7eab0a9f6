import { simulateDying } from './dying-stream.ts';

it.each([1154, 3119, 3166])(
  'seed %i: a region that finished in a dead process waits for an executor and adopts its results, also in the process after that',
  async (seed) => {
    expect(await simulateDying(seed)).toMatchObject({ isWithoutCheckpoint: false });
  },
);

it.each([3239])(
  'seed %i: a checkpoint that was given up for an earlier one is not used by the next process, which would lack what its sinks took back',
  async (seed) => {
    expect(await simulateDying(seed)).toMatchObject({ isWithoutCheckpoint: false });
  },
);

it('seed 198: a process continues one that was drained, and is in no other savepoint, from which nothing would be read on', async () => {
  expect(await simulateDying(198)).toMatchObject({ isDrained: true });
});

it('seed 5111: what was damaged in a process that died is found by the next one, which rightly fails', async () => {
  expect(await simulateDying(5111)).toMatchObject({ isWithoutCheckpoint: true });
});

it('seed 2000024: a checkpoint that its storage never says to have stored holds up no restart', async () => {
  expect(await simulateDying(2000024)).toMatchObject({ isWithoutCheckpoint: false });
});
