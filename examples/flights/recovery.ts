import type { JobRun } from 'kintsugi';

/** Records the states that the charts of a run's regions go through around the first failure. */
export function watchRecovery(run: JobRun): () => string {
  const states = new Map<number, string[]>();
  let isOver = false;
  run.events$.subscribe((event) => {
    if (event.type === 'failover.completed') isOver = true;
    if (event.type !== 'region.stateChanged' || isOver) return;
    states.set(event.region, [...(states.get(event.region) ?? []), event.state]);
  });
  return () => {
    const restarted = [...states].filter(([, entered]) => entered.includes('restarting'));
    const ways = new Map<string, number[]>();
    for (const [region, entered] of restarted) {
      const way = entered.slice(entered.indexOf('restarting') - 1).join(' → ');
      ways.set(way, [...(ways.get(way) ?? []), region]);
    }
    const lines = [...ways].map(
      ([way, regions]) => `  ${regions.length === 1 ? 'region' : 'regions'} ${regions.join(', ')}: ${way}`,
    );
    return [...lines, `  ${states.size - restarted.length} of ${states.size} regions were not affected`].join('\n');
  };
}
