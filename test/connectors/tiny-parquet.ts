/** A column of required values, all of one kind. */
export type TinyColumn = readonly bigint[] | readonly number[] | readonly string[];

const int32 = 5;
const int64 = 6;
const binary = 8;
const list = 9;
const struct = 12;

/** A field of a Thrift struct: its number, its wire type, its bytes. */
type Field = readonly [id: number, type: number, bytes: Buffer];

/**
 * A Parquet file with the given row groups: plain encoding, no compression, one page per column. Written from the
 * specification, so it does not depend on the library under test.
 */
export function tinyParquet(groups: readonly Readonly<Record<string, TinyColumn>>[]): Buffer {
  const parts: Buffer[] = [Buffer.from('PAR1')];
  let offset = 4;
  const rowGroups = groups.map((group) => {
    const chunks = Object.entries(group).map(([name, values]) => {
      const chunk = columnChunk(values);
      const metadata = columnMetadata(name, values, chunk.length, offset);
      parts.push(chunk);
      offset += chunk.length;
      return structOf([2, int64, zigzag(0)], [3, struct, metadata]);
    });
    const rows = Object.values(group)[0]?.length ?? 0;
    return structOf([1, list, listOf(struct, chunks)], [2, int64, zigzag(offset)], [3, int64, zigzag(rows)]);
  });
  const columns = Object.entries(groups[0] ?? {});
  const root = structOf([4, binary, text('root')], [5, int32, zigzag(columns.length)]);
  const schema = [root, ...columns.map(([name, values]) => schemaElement(name, values))];
  const rowCount = groups.reduce((sum, group) => sum + (Object.values(group)[0]?.length ?? 0), 0);
  const footer = structOf(
    [1, int32, zigzag(1)],
    [2, list, listOf(struct, schema)],
    [3, int64, zigzag(rowCount)],
    [4, list, listOf(struct, rowGroups)],
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([...parts, footer, length, Buffer.from('PAR1')]);
}

function physicalType(values: TinyColumn): number {
  return { bigint: 2, number: 5, string: 6 }[typeof values[0] as 'bigint' | 'number' | 'string'];
}

function schemaElement(name: string, values: TinyColumn): Buffer {
  const fields: Field[] = [
    [1, int32, zigzag(physicalType(values))],
    [3, int32, zigzag(0)],
    [4, binary, text(name)],
  ];
  if (typeof values[0] === 'string') fields.push([6, int32, zigzag(0)]);
  return structOf(...fields);
}

function columnChunk(values: TinyColumn): Buffer {
  const data = Buffer.concat(values.map(plain));
  const page = structOf(
    [1, int32, zigzag(values.length)],
    [2, int32, zigzag(0)],
    [3, int32, zigzag(3)],
    [4, int32, zigzag(3)],
  );
  const size = zigzag(data.length);
  return Buffer.concat([structOf([1, int32, zigzag(0)], [2, int32, size], [3, int32, size], [5, struct, page]), data]);
}

function columnMetadata(name: string, values: TinyColumn, size: number, offset: number): Buffer {
  return structOf(
    [1, int32, zigzag(physicalType(values))],
    [2, list, listOf(int32, [zigzag(0)])],
    [3, list, listOf(binary, [text(name)])],
    [4, int32, zigzag(0)],
    [5, int64, zigzag(values.length)],
    [6, int64, zigzag(size)],
    [7, int64, zigzag(size)],
    [9, int64, zigzag(offset)],
  );
}

function plain(value: bigint | number | string): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  }
  const bytes = Buffer.alloc(8);
  if (typeof value === 'bigint') bytes.writeBigInt64LE(value);
  else bytes.writeDoubleLE(value);
  return bytes;
}

function structOf(...fields: Field[]): Buffer {
  const parts: Buffer[] = [];
  let last = 0;
  for (const [id, type, bytes] of fields) {
    parts.push(Buffer.from([((id - last) << 4) | type]), bytes);
    last = id;
  }
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function listOf(type: number, items: readonly Buffer[]): Buffer {
  const head =
    items.length < 15
      ? Buffer.from([(items.length << 4) | type])
      : Buffer.concat([Buffer.from([0xf0 | type]), varint(items.length)]);
  return Buffer.concat([head, ...items]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.length), bytes]);
}

function zigzag(value: number): Buffer {
  return varint(value * 2);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
