import { truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { wideNumbersOf } from '../../src/connectors/json/json-numbers.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { draws } from '../support/draws.ts';
import { contextOf, drain, failureOf, readSubtask, readSubtasks, scratchDirectory } from './subtasks.ts';

const at = scratchDirectory();

function fileOf(content: string | Buffer, name = 'records.ndjson'): string {
  const path = at(name);
  writeFileSync(path, content);
  return path;
}

describe('the content of a file', () => {
  const bom = '\uFEFF';
  it.each<[title: string, content: string, records: unknown[]]>([
    ['nothing', '', []],
    ['blank lines alone', '\n \r\n\t\n', []],
    ['one line', '{"a":1}\n', [{ a: 1 }]],
    ['no newline at the end', '1\n2', [1, 2]],
    ['CRLF', '1\r\n2\r\n', [1, 2]],
    ['blank lines between', '1\n\n\n2\n \n3', [1, 2, 3]],
    ['a byte order mark', `${bom}{"a":1}\n2\n`, [{ a: 1 }, 2]],
    ['a byte order mark alone', bom, []],
    ['every kind of value', 'null\ntrue\n"x"\n[1]\n-0.5e3\n', [null, true, 'x', [1], -500]],
    ['characters of 2, 3 and 4 bytes', '"é"\n"縫"\n"🏺"\n', ['é', '縫', '🏺']],
    ['a line separator inside a string', '"a\u2028b"\n', ['a\u2028b']],
    ['space around values', '  1  \n\t2\t\n', [1, 2]],
    [
      'numbers of 16 digits',
      '9007199254740991\n-0.30000000000000004\n1e-05\n',
      [9007199254740991, -0.30000000000000004, 1e-5],
    ],
    ['ids in quotes', '{"id":"1790000000000000001"}\n', [{ id: '1790000000000000001' }]],
    ['a key twice', '{"a":1,"b":2,"a":3}\n', [{ a: 3, b: 2 }]],
  ])('%s', async (_title, content, records) => {
    const source = jsonLinesFile(fileOf(content));
    expect(await readSubtasks(source)).toEqual([records]);
    expect((await readSubtasks(source, 3)).flat()).toEqual(records);
  });
});

describe('the subtasks together read each line once', () => {
  const recordsOf = (count: number, width: number) =>
    Array.from({ length: count }, (_, id) => ({ id, text: '継'.repeat((id * 7) % width) }));
  const cases = [
    { count: 1, width: 1 },
    { count: 10, width: 4 },
    { count: 3_000, width: 200 },
    { count: 5, width: 400_000 },
  ].flatMap((size) => [1, 2, 3, 7, 16, 100].map((parallelism) => ({ ...size, parallelism })));

  it.each(cases)('$count lines of up to $width characters, $parallelism subtasks', async (sizes) => {
    const records = recordsOf(sizes.count, sizes.width);
    const source = jsonLinesFile(fileOf(records.map((record) => `${JSON.stringify(record)}\n`).join('')));
    expect((await readSubtasks(source, sizes.parallelism, 64)).flat()).toEqual(records);
  });

  it('for any lines, line ends and parallelism', async () => {
    const json = fc.json({ maxDepth: 1, stringUnit: 'binary' }).filter((text) => wideNumbersOf(text).length === 0);
    const line = fc.oneof(json, fc.constant(''));
    const ending = fc.constantFrom('\n', '\r\n');
    const content = fc.record({
      lines: fc.array(fc.tuple(line, ending), { maxLength: 30 }),
      last: line,
      mark: fc.constantFrom('', '\uFEFF'),
    });
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 40 }), async ({ lines, last, mark }, parallelism) => {
        const texts = [...lines.map(([text]) => text), last].filter((text) => text !== '');
        const source = jsonLinesFile(fileOf(mark + lines.map(([text, end]) => text + end).join('') + last));
        expect((await readSubtasks(source, parallelism, 3)).flat()).toEqual(texts.map((text) => JSON.parse(text)));
      }),
      { numRuns: draws(100, 300) },
    );
  });

  it('and a subtask gets the same share again', async () => {
    const source = jsonLinesFile(
      fileOf(
        recordsOf(500, 40)
          .map((record) => `${JSON.stringify(record)}\n`)
          .join(''),
      ),
    );
    const place = { subtask: 1, parallelism: 3 };
    const share = await readSubtask(source, place);
    expect(share.length).toBeGreaterThan(100);
    expect(await readSubtask(source, { ...place, attempt: 1 })).toEqual(share);
  });

  it('and shares are of equal size to within a line', async () => {
    const source = jsonLinesFile(fileOf('"0123456789"\n'.repeat(1_000)));
    const counts = (await readSubtasks(source, 7)).map((share) => share.length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });
});

describe('malformed lines', () => {
  const many = '{"ok":true}\n'.repeat(30_000);
  it.each<[title: string, content: string | Buffer, parallelism: number, where: string, problem: string]>([
    ['a missing value', '1\n{"a":}\n', 1, '2:6', 'not valid JSON: unexpected "}"'],
    ['a line that is cut off', '1\n2\n{"a":[1,', 1, '3:9', 'not valid JSON: it ends too early'],
    ['a bare word', 'hello\n', 1, '1:1', 'not valid JSON: unexpected "h"'],
    ['two values', '1\r\n1 2\r\n', 1, '2:3', 'not valid JSON: unexpected "2"'],
    ['after a byte order mark', '\uFEFF1\nx\n', 1, '2:1', 'not valid JSON: unexpected "x"'],
    ['after characters of several bytes', '"🏺"\n"é" !\n', 1, '2:5', 'not valid JSON: unexpected "!"'],
    ['after blank lines', '\n\n1\n\n]\n', 1, '5:1', 'not valid JSON: unexpected "]"'],
    ['beyond the first block', `${many}[1}\n`, 1, '30001:3', 'not valid JSON: unexpected "}"'],
    ['in the share of the last subtask', `${many}[1}\n`, 4, '30001:3', 'not valid JSON: unexpected "}"'],
    ['bytes that are not UTF-8', Buffer.from([0x31, 0x0a, 0x22, 0xc3, 0xa9, 0xff, 0x22]), 1, '2:3', 'not valid UTF-8'],
    [
      'lines ended by CR alone',
      '{"a":1}\r{"a":2}\r',
      1,
      '1:9',
      'not valid JSON: unexpected "{" after a carriage return: lines must end in LF or CRLF',
    ],
    [
      'an integer that changes',
      '{"id":1}\n{"id":1790000000000000001}\n',
      1,
      '2:7',
      "\"id\": 1790000000000000001 does not fit into a number. Set `int64` to 'bigint' or 'string'",
    ],
    [
      'a decimal that changes, in the share of the last subtask',
      `${many}{"a":[0,1e999]}\n`,
      4,
      '30001:9',
      "\"a.1\": 1e999 does not fit into a number. Set `decimals` to 'string' or 'rounded'",
    ],
  ])('%s', async (_title, content, parallelism, where, problem) => {
    const path = fileOf(content);
    const failure = await failureOf(readSubtasks(jsonLinesFile(path), parallelism));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
    expect(failure.message).toBe(`${path}:${where}: ${problem}`);
  });

  it('and values that `parse` refuses', async () => {
    const path = fileOf('1\n2\n');
    const parse = (value: unknown) => {
      if (value === 2) throw new TypeError('two is not allowed');
      return value;
    };
    const failure = await failureOf(readSubtasks(jsonLinesFile(path, { parse })));
    expect(failure.message).toBe(`${path}:2:1: two is not allowed`);
    expect(failure.cause).toBeInstanceOf(TypeError);
  });

  it('and objects that `parse` refuses, among others', async () => {
    const path = fileOf('{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}\n');
    const seen: unknown[] = [];
    const parse = (value: unknown) => {
      seen.push(value);
      if (seen.length === 3) throw new TypeError('three is not allowed');
      return value;
    };
    const failure = await failureOf(readSubtasks(jsonLinesFile(path, { parse })));
    expect(failure.message).toBe(`${path}:3:1: three is not allowed`);
    expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });
});

it('`int64` and `decimals` decide about numbers that a double cannot hold', async () => {
  const path = fileOf('{"id":1790000000000000001,"price":1.10000000000000000001}\n{"id":7,"price":1.1}\n');
  const source = jsonLinesFile(path, { int64: 'bigint', decimals: 'string' });
  expect((await readSubtasks(source, 2)).flat()).toEqual([
    { id: 1790000000000000001n, price: '1.10000000000000000001' },
    { id: 7, price: 1.1 },
  ]);
});

it('`__proto__` is an ordinary key', async () => {
  const [[record]] = (await readSubtasks(jsonLinesFile(fileOf('{"__proto__":{"a":1},"b":2}\n')))) as [[object]];
  expect(Object.entries(record)).toEqual([
    ['__proto__', { a: 1 }],
    ['b', 2],
  ]);
  expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
});

it.each<[name: string, options: object, expected: string]>([
  ['int64', { int64: 'rounded' }, '"number" or "bigint" or "string"'],
  ['decimals', { decimals: 'bigint' }, '"number" or "string" or "rounded"'],
])('another choice for `%s` is refused', (name, options, expected) => {
  expect(() => jsonLinesFile('x', options)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', argument: name }),
  );
  expect(() => jsonLinesFile('x', options)).toThrow(expected);
});

describe('files that disappear', () => {
  it('a missing file is named, without a restart', async () => {
    const path = at('missing.ndjson');
    const source = jsonLinesFile(path);
    const failure = await failureOf(readSubtasks(source));
    expect(failure).toMatchObject({ code: 'FILE_ACCESS', recovery: 'never', file: path });
    expect(failure.message).toBe(`${path}: cannot read: no such file or directory (ENOENT)`);
    fileOf('1\n', 'missing.ndjson');
    expect(await readSubtasks(source)).toEqual([[1]]);
  });

  it('a device is not a file', async () => {
    const path = '/dev/null';
    expect(await failureOf(readSubtasks(jsonLinesFile(path)))).toMatchObject({ code: 'FILE_ACCESS', file: path });
  });

  it('a file that is deleted after it was opened is read to its end', async () => {
    const path = fileOf('1\n2\n');
    const reader = await jsonLinesFile(path).open(contextOf());
    unlinkSync(path);
    expect(await drain(reader)).toEqual([1, 2]);
  });

  it('a file that shrinks while it is read is an error, not a short result', async () => {
    const path = fileOf('{"ok":true}\n'.repeat(60_000));
    const reader = await jsonLinesFile(path).open(contextOf());
    await reader.read(10);
    truncateSync(path, 300_000);
    const failure = await failureOf(drain(reader, 10_000));
    expect(failure).toMatchObject({ code: 'INPUT_CHANGED', recovery: 'never', file: path, change: 'shorter' });
    expect(failure.message).toMatch(/: changed since the run began: it had 720000 bytes, now it has 300000\. /);
  });
});

it('reads no more than requested, and waits only for the next block', async () => {
  const reader = await jsonLinesFile(fileOf('1\n2\n3\n')).open(contextOf());
  expect(await reader.read(1)).toEqual([1]);
  expect(reader.read(1)).toEqual([2]);
  expect(reader.read(5)).toEqual([3]);
  expect(await reader.read(5)).toBeNull();
  await reader.close();
});
