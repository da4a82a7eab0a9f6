import type { JobComparison } from './job-comparison.ts';
import type { JobIdentity } from './job-identity.ts';

/** A comparison as short lines: unchanged, changed (with the reasons) and removed vertices. */
export function comparisonLines(comparison: JobComparison, now: JobIdentity): readonly string[] {
  const lines: string[] = [];
  if (comparison.earlierJob !== undefined) lines.push(`the earlier job was called "${comparison.earlierJob}"`);
  const unchanged = comparison.ids.filter((_, index) => comparison.vertices[index]?.kind !== 'changed');
  if (unchanged.length > 0) lines.push(`unchanged: ${unchanged.join(', ')}`);
  for (const [index, vertex] of comparison.vertices.entries()) {
    if (vertex.kind === 'unchanged') continue;
    const id = comparison.ids[index] as string;
    lines.push(`${vertex.kind === 'changed' ? `${id} changed` : id}: ${vertex.reasons.join('; ')}`);
  }
  for (const [index, edge] of comparison.edges.entries()) {
    if (edge.kind === 'same') continue;
    const { source, target } = now.edges[index] as JobIdentity['edges'][number];
    const which = edge.kind === 'different' ? 'no earlier result' : 'an earlier result with other shares';
    lines.push(`${which} for ${source} → ${target}: ${edge.reasons.join('; ')}`);
  }
  if (comparison.removed.length > 0) lines.push(`gone: ${comparison.removed.join(', ')}`);
  return lines;
}
