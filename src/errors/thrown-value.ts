import { NonErrorThrownError } from './user-code-errors.ts';

/**
 * Converts any thrown value to an `Error` whose name and message are strings; returns such an `Error` unchanged. Never
 * throws, even if reading the value does.
 */
export function toError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new NonErrorThrownError(thrown);
}

function isError(thrown: unknown): thrown is Error {
  if (typeof thrown !== 'object' || thrown === null) return false;
  try {
    const { name, message } = thrown as Partial<Record<string, unknown>>;
    if (typeof message !== 'string' || (name !== undefined && typeof name !== 'string')) return false;
    // Errors of another realm (Jest, vm, structuredClone) are not `instanceof Error` here.
    return thrown instanceof Error || 'stack' in thrown;
  } catch {
    return false;
  }
}
