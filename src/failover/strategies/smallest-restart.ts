import type { FailoverRule } from '../failover-strategy.ts';

/** Rules that always ask for the smallest sound restart, and whether they say why a task does not restart alone. */
const rules = new WeakMap<FailoverRule, { readonly saysWhy: boolean }>();

/** Registers a rule that always asks for the smallest sound restart, so that many failures can be examined at once. */
export function smallestRestartRule(rule: FailoverRule, about: { readonly saysWhy: boolean }): FailoverRule {
  rules.set(rule, about);
  return rule;
}

/** undefined for any other rule. */
export function asSmallestRestartRule(rule: FailoverRule): { readonly saysWhy: boolean } | undefined {
  return rules.get(rule);
}
