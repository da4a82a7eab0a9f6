import { isSecretName, withoutSecrets } from '../secret-name.ts';

const mostLength = 160;
const mostText = 24;
/**
 * How much of a text is searched for secrets. More than is shown, because some secrets are recognizable only by the
 * text after them.
 */
const mostLookedAt = 1_024;
const mostEntries = 8;
const mostDepth = 3;

/**
 * A short picture of a record for messages. Long texts are cut, secrets that are recognizable by name or context are
 * left out, and values that throw when read are replaced. Never throws.
 */
export function pictureOf(record: unknown): string {
  const picture = safely(() => record, 0);
  return picture.length <= mostLength ? picture : `${picture.slice(0, mostLength - 1)}…`;
}

function safely(value: () => unknown, depth: number): string {
  try {
    return draw(value(), depth);
  } catch {
    return '(cannot be read)';
  }
}

function draw(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return drawText(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : drawObject(value, depth);
    default:
      return String(value);
  }
}

function drawText(value: string): string {
  const shown = withoutSecrets(value.slice(0, mostLookedAt));
  if (value.length <= mostText) return JSON.stringify(shown);
  return `${JSON.stringify(shown.slice(0, mostText))}… (${value.length} characters)`;
}

function drawObject(value: object, depth: number): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name}(${value.size})`;
  if (Array.isArray(value)) {
    if (depth >= mostDepth) return `[… ${value.length}]`;
    const items = Array.from({ length: Math.min(value.length, mostEntries) }, (_, index) =>
      safely(() => value[index], depth + 1),
    );
    return `[${items.join(',')}${value.length > mostEntries ? `,… ${value.length} in all` : ''}]`;
  }
  const names = Object.keys(value);
  if (depth >= mostDepth) return '{…}';
  const fields = names.slice(0, mostEntries).map((name) => {
    const drawn = isSecretName(name) ? '(left out)' : safely(() => (value as Record<string, unknown>)[name], depth + 1);
    return `${JSON.stringify(name)}:${drawn}`;
  });
  return `{${fields.join(',')}${names.length > mostEntries ? `,… ${names.length} fields` : ''}}`;
}
