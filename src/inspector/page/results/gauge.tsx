import { formatBytes, formatShare } from '../shell/format.ts';

/** What is used of a budget. */
export function Gauge({ label, used, budget }: { label: string; used: number; budget: number | null | undefined }) {
  const hasBudget = typeof budget === 'number' && Number.isFinite(budget);
  const share = hasBudget && budget > 0 ? used / budget : 0;
  const level = share > 0.9 ? 'red' : share > 0.7 ? 'amber' : 'green';
  return (
    <div class="gauge">
      <span class="row">
        <strong>{label}</strong>
        <span>
          {formatBytes(used)}
          <span class="muted">{hasBudget ? ` of ${formatBytes(budget)}, ${formatShare(share)}` : ', no budget'}</span>
        </span>
      </span>
      <span
        class="gauge-bar"
        role="meter"
        aria-label={`${label} used`}
        aria-valuemin={0}
        aria-valuemax={hasBudget ? budget : undefined}
        aria-valuenow={used}
        aria-valuetext={`${formatBytes(used)}${hasBudget ? ` of ${formatBytes(budget)}` : ''}`}
      >
        <span class={`level-${level}`} style={{ width: `${Math.min(share, 1) * 100}%` }} />
      </span>
    </div>
  );
}
