import { readFileSync, writeFileSync } from 'node:fs';
import { parse as parseWhole } from 'csv-parse/sync';
import fc from 'fast-check';
import { csvFile, type CsvFileOptions } from '../../src/connectors/csv/csv-file.ts';
import { toCsvFile } from '../../src/connectors/csv/to-csv-file.ts';
import { draws } from '../support/draws.ts';
import { failureOf, readSubtasks, scratchDirectory, writeSubtask } from './subtasks.ts';

const at = scratchDirectory();

function fileOf(content: string, name = 'rows.csv'): string {
  const path = at(name);
  writeFileSync(path, content);
  return path;
}

const splittable = { newlinesInValues: false };

describe('the content of a file', () => {
  it.each<[title: string, content: string, options: CsvFileOptions<unknown>, rows: object[]]>([
    ['nothing', '', {}, []],
    ['a header alone', 'a,b\n', {}, []],
    [
      'rows',
      'a,b\n1,2\n3,4\n',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ],
    ],
    ['no newline at the end', 'a,b\n1,2', {}, [{ a: '1', b: '2' }]],
    [
      'CRLF',
      'a,b\r\n1,2\r\n"3",4\r\n',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ],
    ],
    [
      'CRLF and LF mixed',
      'a,b\n1,2\r\n"3",4\n5,6\r\n',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
        { a: '5', b: '6' },
      ],
    ],
    ['empty lines', 'a,b\n\n1,2\r\n\r\n\n', {}, [{ a: '1', b: '2' }]],
    ['a byte order mark', '\uFEFFa,b\n1,2\n', {}, [{ a: '1', b: '2' }]],
    [
      'empty values',
      'a,b,c\n,,\n"",1,\n',
      {},
      [
        { a: '', b: '', c: '' },
        { a: '', b: '1', c: '' },
      ],
    ],
    ['quotes', 'a,b\n"x,y","say ""hi"""\n', {}, [{ a: 'x,y', b: 'say "hi"' }]],
    ['a quoted header', '"a,1","b"\n1,2\n', {}, [{ 'a,1': '1', b: '2' }]],
    ['another delimiter', 'a;b\n1,5;"2;3"\n', { delimiter: ';' }, [{ a: '1,5', b: '2;3' }]],
    [
      'columns for no header',
      '1,2\n3,4\n',
      { columns: ['x', 'y'] },
      [
        { x: '1', y: '2' },
        { x: '3', y: '4' },
      ],
    ],
    ['columns for a header', 'a,b,c\n1,2\n', { columns: ['x', 'y'], header: true }, [{ x: '1', y: '2' }]],
    [
      'CR alone',
      'a,b\r1,2\r"3",4\r',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ],
    ],
    ['CR alone, all in quotes, none at the end', '"a","b"\r\r"1","2"', {}, [{ a: '1', b: '2' }]],
    ['a first line that tells the delimiter', 'sep=;\r\na;b\r\n1;2\r\n', {}, [{ a: '1', b: '2' }]],
    ['the same as the option', 'SEP=\t\na\tb\n1\t2\n', { delimiter: '\t' }, [{ a: '1', b: '2' }]],
    ['the same without a header', '\uFEFFsep=|\n1|2\n', { columns: ['a', 'b'] }, [{ a: '1', b: '2' }]],
    ['that line alone', 'sep=;\n', {}, []],
    ['a value that looks like it', 'a\nsep=;\n', {}, [{ a: 'sep=;' }]],
    ['a name that looks like it, in quotes', '"sep=;"\nx\n', {}, [{ 'sep=;': 'x' }]],
    ['a byte order mark alone', '\uFEFF', {}, []],
    ['empty lines alone', '\uFEFF\n\r\n\n', {}, []],
    ['one column with empty values in quotes', 'a\n""\nx\n\n""\n', {}, [{ a: '' }, { a: 'x' }, { a: '' }]],
    ['characters of several bytes', 'é,縫\n🏺,"ü"\n', {}, [{ é: '🏺', 縫: 'ü' }]],
  ])('%s', async (_title, content, options, rows) => {
    const path = fileOf(content);
    expect(await readSubtasks(csvFile(path, options))).toEqual([rows]);
    expect((await readSubtasks(csvFile(path, { ...options, ...splittable }), 4)).flat()).toEqual(rows);
  });

  it('newlines in values, with one subtask', async () => {
    const source = csvFile(fileOf('a,b\n"1\n2\r\n","x""\n"\n3,4\n'));
    expect(await readSubtasks(source)).toEqual([
      [
        { a: '1\n2\r\n', b: 'x"\n' },
        { a: '3', b: '4' },
      ],
    ]);
    expect(source).toMatchObject({
      maxParallelism: 1,
      splitLimit: 'a CSV file is read by one subtask unless `newlinesInValues` is false',
    });
  });

  it('a column called `__proto__` is an ordinary column', async () => {
    const [[row]] = (await readSubtasks(csvFile(fileOf('__proto__,b\n1,2\n')))) as [[object]];
    expect(Object.entries(row)).toEqual([
      ['__proto__', '1'],
      ['b', '2'],
    ]);
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    const path = at('proto.csv');
    await writeSubtask(toCsvFile<object>(path, { columns: ['__proto__' as never, 'b' as never] }), [row, { b: '3' }]);
    expect(readFileSync(path, 'utf8')).toBe('__proto__,b\n1,2\n,3\n');
  });

  it('many blocks of lines ended by CR', async () => {
    const rows = Array.from({ length: 60_000 }, (_, id) => ({ id: String(id), text: '縫い目' }));
    const path = fileOf(['id,text', ...rows.map(({ id, text }) => `${id},${text}`)].join('\r'));
    expect((await readSubtasks(csvFile(path, splittable), 5, 1_000)).flat()).toEqual(rows);
    expect(await readSubtasks(csvFile(path), 1, 1_000)).toEqual([rows]);
  });

  it('the result of `parse` for a row', async () => {
    const source = csvFile(fileOf('a\n1\n2\n'), { parse: (row) => Number(row['a']) });
    expect(await readSubtasks(source)).toEqual([[1, 2]]);
  });
});

describe('the subtasks together read each record once', () => {
  const value = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '1', ' ', 'é', '🏺', '"', ',', ';'), maxLength: 8 }),
    fc.string({ unit: fc.constantFrom('a', '縫'), maxLength: 8 }),
  );
  const rowsOf = (values: fc.Arbitrary<string>) => fc.array(fc.tuple(values, values), { maxLength: 30 });
  const quoteAs = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const contentOf = (rows: readonly [string, string][], end: string) =>
    ['a,b', ...rows.map((row) => row.map(quoteAs).join(','))].map((line) => line + end).join('');

  it('for any values, line ends and parallelism', async () => {
    await fc.assert(
      fc.asyncProperty(
        rowsOf(value),
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 40 }),
        async (rows, end, parallelism) => {
          const source = csvFile(fileOf(contentOf(rows, end)), splittable);
          const expected = rows.map(([a, b]) => ({ a, b }));
          expect((await readSubtasks(source, parallelism, 3)).flat()).toEqual(expected);
        },
      ),
      { numRuns: draws(40, 100) },
    );
  });

  it('with newlines in values, one subtask reads what the parser yields for the whole file', async () => {
    const withNewlines = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', '縫'), maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(rowsOf(withNewlines), fc.constantFrom('\n', '\r\n'), async (rows, end) => {
        const content = contentOf(rows, end);
        const whole: unknown = parseWhole(content, { columns: true, record_delimiter: ['\r\n', '\n'] });
        expect((await readSubtasks(csvFile(fileOf(content)), 1, 3)).flat()).toEqual(whole);
      }),
      { numRuns: draws(40, 100) },
    );
  });

  it.each([1, 2, 5, 16])('of a file of many blocks, %i subtasks', async (parallelism) => {
    const rows = Array.from({ length: 30_000 }, (_, id) => ({
      id: String(id),
      text: id % 1_000 === 0 ? '"a, b' : '縫い目',
    }));
    const path = at('many.csv');
    await writeSubtask(toCsvFile<(typeof rows)[number]>(path, { columns: ['id', 'text'] }), rows);
    expect((await readSubtasks(csvFile(path, splittable), parallelism, 1_000)).flat()).toEqual(rows);
    if (parallelism === 1) expect((await readSubtasks(csvFile(path), 1, 1_000)).flat()).toEqual(rows);
  });
});

describe('csvFile reads what toCsvFile writes', () => {
  const text = fc.oneof(
    fc.string({
      unit: fc.constantFrom('a', ' ', '"', ',', ';', '\n', '\r', '\uFEFF', '=', '縫', '🏺', '\t', '|'),
      maxLength: 5,
    }),
    fc.constantFrom('', 'sep=;', 'sep=,', 'SEP=|', '\uFEFF', '\uFEFFsep=;', '""', '\r\n', '__proto__'),
  );
  const value = fc.oneof(text, fc.constantFrom(null, undefined));
  const table = fc
    .uniqueArray(text, { minLength: 1, maxLength: 3 })
    .chain((columns) =>
      fc.tuple(fc.constant(columns), fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { maxLength: 5 })),
    );

  it.each([true, false])('header: %s', async (header) => {
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom(undefined, ',', ';', '\t', '||', 'a '),
        async ([columns, values], delimiter) => {
          const path = at('round.csv');
          const rows = values.map((cells) => Object.fromEntries(columns.map((name, index) => [name, cells[index]])));
          const options = { columns, header, ...(delimiter !== undefined && { delimiter }) };
          await writeSubtask(toCsvFile<Record<string, unknown>>(path, options), rows);
          const expected = rows.map((row) => columns.map((name) => [name, row[name] ?? '']));
          const [read = []] = await readSubtasks(csvFile(path, options), 1, 2);
          expect(read.map((row) => Object.entries(row).sort())).toEqual(expected.map((row) => row.sort()));
        },
      ),
      { numRuns: draws(100, 300) },
    );
  });

  it('compressed, too', async () => {
    const path = at('round.csv.gz');
    const rows = Array.from({ length: 20_000 }, (_, id) => ({ id: String(id), text: 'x\ny' }));
    await writeSubtask(toCsvFile<(typeof rows)[number]>(path, { columns: ['id', 'text'] }), rows);
    expect(readFileSync(path).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect(await readSubtasks(csvFile(path))).toEqual([rows]);
  });
});

describe('malformed files', () => {
  const many = 'ok,"ok"\n'.repeat(34_000);
  const hint = '. If values contain newlines, leave out `newlinesInValues: false`';
  it.each<[title: string, content: string, parallelism: number, where: string, problem: string]>([
    ['too few values', 'a,b\n1,2\n3\n', 0, '3:2', 'expected 2 values, got 1'],
    ['too many values', 'a,b\n1,"2",3\n', 0, '2:7', 'expected 2 values, got 3'],
    ['too few values, without quotes', 'a,b\n\n1\n', 2, '3:2', 'expected 2 values, got 1'],
    ['a quote in a value', 'a,b\n1,2"x\n3,4\n', 0, '2:3', 'a quote in an unquoted value in column "b"'],
    [
      'a quote in quotes',
      'a,b\n"é","3"x\n',
      0,
      '2:5',
      'a quote inside a quoted value that is not doubled in column "b"',
    ],
    ['a quote left open', 'a,b\n1,2\n"3,4\n5,6', 0, '3:1', 'an unclosed quote in column "a"'],
    ['a quote left open', 'a,b\n1,2\n3,"4\n5,6"', 2, '3:3', `an unclosed quote in column "b"${hint}`],
    ['a newline in a value', 'a,b\n"1\n2",3\n', 1, '2:1', `an unclosed quote in column "a"${hint}`],
    ['a separate line in quotes', 'a\n"1\n"\n', 1, '2:1', `an unclosed quote in column "a"${hint}`],
    [
      'after a value of several lines',
      'a,b\n"1\n\n2",3\n4,"5"x\n',
      0,
      '5:3',
      'a quote inside a quoted value that is not doubled in column "b"',
    ],
    ['beyond the first block', `a,b\n${many}1,2,3\n`, 0, '34002:5', 'expected 2 values, got 3'],
    ['in the share of the last subtask', `a,b\n${many}1,2,3\n`, 5, '34002:5', 'expected 2 values, got 3'],
    ['two columns of one name', 'a,b,a\n', 0, '1:1', 'the header cannot be used: there are two called "a"'],
    ['an empty first line', '\na,b\n1,2\n', 3, '1:1', 'the header cannot be used: the first line is empty'],
    [
      'a header with a broken quote',
      '"a"b,c\n',
      2,
      '1:1',
      'the header cannot be used: a quote inside a quoted value that is not doubled',
    ],
    [
      'a carriage return among line feeds',
      'a,b\n1,2\r3,4\n',
      0,
      '2:4',
      'a carriage return in an unquoted value, in a file whose lines end in LF or CRLF. Use one kind of line end',
    ],
    [
      'the same between values in quotes',
      '"a","b"\n"1\r","2"\r"3","4"\n',
      2,
      '2:9',
      'a carriage return in an unquoted value, in a file whose lines end in LF or CRLF. Use one kind of line end',
    ],
    [
      'a line feed among carriage returns',
      'a\r1\r"2"\n3\r',
      0,
      '3:4',
      'a line feed in an unquoted value, in a file whose lines end in a carriage return. Use one kind of line end',
    ],
    ['too few values, lines ended by CR', 'a,b\r1,2\r3\r', 3, '3:2', 'expected 2 values, got 1'],
    [
      'another delimiter than the file says',
      'sep=;\na;b\n',
      9,
      '1:1',
      'the header cannot be used: its `sep=` line sets the delimiter ";", but the option sets ","',
    ],
  ])('%s (%#)', async (_title, content, parallelism, where, problem) => {
    const path = fileOf(content);
    const options = parallelism === 9 ? { delimiter: ',' } : splittable;
    const source = csvFile(path, parallelism === 0 ? {} : options);
    const failure = await failureOf(readSubtasks(source, Math.max(1, parallelism)));
    expect(failure.message).toBe(`${path}:${where}: ${problem}`);
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
  });

  it('and rows that `parse` refuses', async () => {
    const path = fileOf('a,b\n\n1,"2\n3"\n4,5\n');
    const parse = (row: Readonly<Record<string, string>>) => {
      if (row['a'] === '4') throw new TypeError('four is not allowed');
      return row;
    };
    const failure = await failureOf(readSubtasks(csvFile(path, { parse })));
    expect(failure.message).toBe(`${path}:5:1: four is not allowed`);
    expect(failure.cause).toBeInstanceOf(TypeError);
  });

  it('a missing file is named, without a restart', async () => {
    const path = at('missing.csv');
    const failure = await failureOf(readSubtasks(csvFile(path)));
    expect(failure).toMatchObject({
      code: 'FILE_ACCESS',
      recovery: 'never',
      message: `${path}: cannot read: no such file or directory (ENOENT)`,
    });
  });
});

it.each<[title: string, make: () => unknown, message: string]>([
  [
    'an empty delimiter',
    () => csvFile('x', { delimiter: '' }),
    'delimiter: expected one or more characters other than quotes and newlines, got ""',
  ],
  [
    'no names',
    () => csvFile('x', { header: false }),
    'columns: expected the column names, because there is no header, got undefined',
  ],
  [
    'one name twice',
    () => csvFile('x', { columns: ['a', 'a'] }),
    'columns: expected column names, but there are two called "a", got ["a","a"]',
  ],
  [
    'one name twice to write',
    () => toCsvFile<{ a: string }>('x', { columns: ['a', 'a'] }),
    'columns: expected column names, but there are two called "a", got ["a","a"]',
  ],
  [
    'a delimiter of quotes to write',
    () => toCsvFile<{ a: string }>('x', { columns: ['a'], delimiter: '"' }),
    'delimiter: expected one or more characters other than quotes and newlines, got "\\""',
  ],
  [
    'an option that does not exist',
    () => csvFile('x', { delimeter: ';' } as object),
    'delimeter of csvFile: expected an option that exists (did you mean `delimiter`?), got ";"',
  ],
  ['no columns to write', () => toCsvFile('x', { columns: [] }), 'columns: expected the column names, got []'],
])('%s is refused', (_title, make, message) => {
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
});

describe('toCsvFile', () => {
  interface Row {
    readonly text: string | null | undefined;
    readonly at: Date | number | boolean | object;
  }
  const contentOf = async (rows: readonly Row[], options = {}) => {
    const path = at('out.csv');
    await writeSubtask(toCsvFile<Row>(path, { columns: ['text', 'at'], ...options }), rows);
    return readFileSync(path, 'utf8');
  };

  it.each<[title: string, row: Row, line: string]>([
    ['plain values', { text: 'a', at: 1.5 }, 'a,1.5'],
    ['what needs quotes', { text: 'a,"b"\n', at: 0 }, '"a,""b""\n",0'],
    ['dates and empty values', { text: null, at: new Date(0) }, ',1970-01-01T00:00:00.000Z'],
    ['booleans', { text: undefined, at: false }, ',false'],
    ['objects', { text: '', at: { x: 1 } }, ',"{""x"":1}"'],
    ['bigints', { text: '', at: [2n ** 63n][0] as never }, ',9223372036854775808'],
    ['numbers without JSON', { text: '', at: NaN }, ',NaN'],
    ['-0', { text: '', at: -0 }, ',-0'],
    ['-0 in objects', { text: '', at: [-0, 0] }, ',"[-0,0]"'],
    ['integers beyond 2^53 in objects', { text: '', at: [2 ** 60] }, ',[1152921504606846976]'],
  ])('%s', async (_title, row, line) => {
    expect(await contentOf([row])).toBe(`text,at\n${line}\n`);
  });

  it('a header, even without rows, unless it is switched off', async () => {
    expect(await contentOf([])).toBe('text,at\n');
    expect(await contentOf([], { header: false })).toBe('');
    expect(await contentOf([{ text: 'a', at: 1 }], { header: false, delimiter: ';' })).toBe('a;1\n');
  });

  it.each<[title: string, at: unknown, problem: string]>([
    ['a circle', circle(), '"at": "self": it contains itself'],
    ['a function', () => 1, '"at": a function has no text'],
    ['a symbol', Symbol('x'), '"at": a symbol has no text'],
    ['a Map', new Map(), '"at": Map has no JSON form'],
    ['bytes', Buffer.from('x'), '"at": Buffer has no JSON form'],
    ['NaN in an object', { x: [NaN] }, '"at": "x.0": NaN has no JSON form'],
    ['a bigint in an object', { x: 1n }, '"at": "x": a bigint has no JSON form'],
    ['an invalid date', new Date(NaN), '"at": an invalid Date'],
    ['half of a surrogate pair', 'a\ud800', '"at": half a surrogate pair cannot be encoded in UTF-8'],
  ])('%s is refused', async (_title, value, problem) => {
    const failure = await failureOf(contentOf([{ text: '', at: value as number }]));
    expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never' });
    expect(failure.message).toBe(
      `${at('out.csv')}: a record cannot be written as CSV: ${problem}. Map to plain data before the sink`,
    );
  });

  it.each([
    ['text,1', 'string'],
    [null, 'null'],
  ])('a record that is not an object is refused: %j', async (record, kind) => {
    const failure = await failureOf(contentOf([record as never]));
    expect(failure.message).toContain(`a record cannot be written as CSV: expected an object, got ${kind}`);
  });

  it('a name with a dot or brackets is an ordinary name', async () => {
    const path = at('names.csv');
    const row = { 'a.b': '1', 'c[0]': '2', a: { b: 'wrong' }, c: ['wrong'] };
    await writeSubtask(toCsvFile<typeof row>(path, { columns: ['a.b', 'c[0]'] }), [row]);
    expect(readFileSync(path, 'utf8')).toBe('a.b,c[0]\n1,2\n');
  });
});

function circle(): object {
  const ring: { self?: unknown } = {};
  ring.self = ring;
  return ring;
}
