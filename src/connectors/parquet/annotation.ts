import type { ConvertedType, LogicalType, SchemaElement, TimeUnit } from 'hyparquet';

const integer = (bitWidth: number, isSigned: boolean): LogicalType => ({ type: 'INTEGER', bitWidth, isSigned });
const time = (unit: TimeUnit): LogicalType => ({ type: 'TIME', unit, isAdjustedToUTC: true });
const timestamp = (unit: TimeUnit): LogicalType => ({ type: 'TIMESTAMP', unit, isAdjustedToUTC: true });

/** The logical types that the older annotations stand for. DECIMAL has its digits in the schema element. */
const logicalTypes: Readonly<Record<Exclude<ConvertedType, 'DECIMAL'>, LogicalType>> = {
  UTF8: { type: 'STRING' },
  MAP: { type: 'MAP' },
  MAP_KEY_VALUE: { type: 'MAP' },
  LIST: { type: 'LIST' },
  ENUM: { type: 'ENUM' },
  DATE: { type: 'DATE' },
  TIME_MILLIS: time('MILLIS'),
  TIME_MICROS: time('MICROS'),
  TIMESTAMP_MILLIS: timestamp('MILLIS'),
  TIMESTAMP_MICROS: timestamp('MICROS'),
  UINT_8: integer(8, false),
  UINT_16: integer(16, false),
  UINT_32: integer(32, false),
  UINT_64: integer(64, false),
  INT_8: integer(8, true),
  INT_16: integer(16, true),
  INT_32: integer(32, true),
  INT_64: integer(64, true),
  JSON: { type: 'JSON' },
  BSON: { type: 'BSON' },
  INTERVAL: { type: 'INTERVAL' },
};

/** The logical type of an element, from its newer or its older annotation. The newer one wins. */
export function annotationOf({
  logical_type,
  converted_type,
  scale,
  precision,
}: SchemaElement): LogicalType | undefined {
  if (logical_type !== undefined) return logical_type;
  if (converted_type === 'DECIMAL') return { type: 'DECIMAL', scale: scale ?? 0, precision: precision ?? 0 };
  return converted_type && logicalTypes[converted_type];
}

/** The type of an element, for messages: `DECIMAL as DOUBLE`. */
export function describeElement(element: SchemaElement): string {
  const physical = element.type ?? 'a group';
  const length = element.type === 'FIXED_LEN_BYTE_ARRAY' ? ` of ${element.type_length} bytes` : '';
  const annotation = annotationOf(element);
  if (annotation === undefined) return `${physical}${length}`;
  return `${annotation.type ?? 'an unknown logical type'} as ${physical}${length}`;
}
