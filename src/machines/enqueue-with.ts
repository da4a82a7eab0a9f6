/** Makes an action from the actions that `collect` enqueues for the params given by the chart. */
type EnqueueWith<Collected, Args> = <Params>(
  collect: (collected: Collected, params: Params) => void,
) => (args: Args, params: Params) => void;

/** The `enqueueActions` of a setup, typed for actions with params, which XState's own types do not support. */
export function enqueueWith<Collected, Args>(
  enqueueActions: (
    collect: (collected: Collected, params: undefined) => void,
  ) => (args: Args, params: undefined) => void,
): EnqueueWith<Collected, Args> {
  return enqueueActions as never;
}
