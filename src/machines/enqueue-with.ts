/** Makes an action of what `collect` enqueues, by the params that the chart gives it. */
type EnqueueWith<Collected, Args> = <Params>(
  collect: (collected: Collected, params: Params) => void,
) => (args: Args, params: Params) => void;

/** The `enqueueActions` of a setup for actions that take params, which the types of XState's own leave out. */
export function enqueueWith<Collected, Args>(
  enqueueActions: (
    collect: (collected: Collected, params: undefined) => void,
  ) => (args: Args, params: undefined) => void,
): EnqueueWith<Collected, Args> {
  return enqueueActions as never;
}
