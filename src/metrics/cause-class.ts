import { propertiesOf } from '../foreign-value.ts';

/** The class of an error, for a label: its code (`PARTITION_LOST`, `ECONNRESET`) or its name, never its message. */
export function causeClassOf(cause: Error): string {
  const { code, name, constructor } = propertiesOf(cause, 'code', 'name', 'constructor');
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(code)) return code;
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
  const { name: className } = propertiesOf(constructor, 'name');
  return typeof className === 'string' && className !== '' ? className : 'Error';
}
