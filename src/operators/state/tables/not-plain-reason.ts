import type { RecordNotSerializableError } from '../../../errors/result-errors.ts';

/** What is wrong with a state of an operator, and what helps. */
export function notPlainReason(uid: string, { path, found }: RecordNotSerializableError): string {
  return `"${uid}" has a state that is not plain data: ${path} is ${found}. Keep plain data, or give a state of \`process\` a \`serializer\``;
}
