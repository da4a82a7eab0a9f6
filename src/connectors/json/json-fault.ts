/** Where a text stops being JSON, and why. */
export interface JsonFault {
  /** Index of the first wrong character; the length of the text if it ends too early. */
  readonly index: number;
  readonly problem: string;
}

const whitespace = ' \t\r\n';
const literalByStart: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };

/**
 * Finds where `text` stops being JSON (RFC 8259); undefined if it is JSON. `JSON.parse` gives the position of some
 * errors only. Takes text of any depth and length; meant for text that `JSON.parse` rejected.
 */
export function findJsonFault(text: string): JsonFault | undefined {
  const closers: string[] = [];
  let at = 0;
  let expected: 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'end' = 'value';
  for (;;) {
    while (at < text.length && whitespace.includes(text.charAt(at))) at++;
    const char = text.charAt(at);
    const closer = closers.at(-1);
    if (expected === 'end' && closer === undefined) return at < text.length ? unexpected(text, at) : undefined;
    if (expected === 'end' && char === ',') {
      expected = closer === '}' ? 'key' : 'value';
      at++;
    } else if (char !== '' && char === closer && expected !== 'key' && expected !== 'value' && expected !== 'colon') {
      closers.pop();
      expected = 'end';
      at++;
    } else if (expected === 'colon' && char === ':') {
      expected = 'value';
      at++;
    } else if (expected === 'key' || expected === 'first key') {
      if (char !== '"') return unexpected(text, at);
      const end = scanString(text, at);
      if (typeof end !== 'number') return end;
      at = end;
      expected = 'colon';
    } else if (expected === 'end' || expected === 'colon') {
      return unexpected(text, at);
    } else if (char === '{' || char === '[') {
      closers.push(char === '{' ? '}' : ']');
      expected = char === '{' ? 'first key' : 'first value';
      at++;
    } else {
      const end = scanScalar(text, at, char);
      if (typeof end !== 'number') return end;
      at = end;
      expected = 'end';
    }
  }
}

function unexpected(text: string, index: number): JsonFault {
  const code = text.codePointAt(index);
  if (code === undefined) return { index, problem: 'not valid JSON: it ends too early' };
  return { index, problem: `not valid JSON: unexpected ${JSON.stringify(String.fromCodePoint(code))}` };
}

function scanScalar(text: string, at: number, char: string): number | JsonFault {
  if (char === '"') return scanString(text, at);
  const literal = literalByStart[char];
  return literal === undefined ? scanNumber(text, at) : scanLiteral(text, at, literal);
}

function scanLiteral(text: string, start: number, literal: string): number | JsonFault {
  for (let at = 0; at < literal.length; at++) {
    if (text[start + at] !== literal[at]) return unexpected(text, start + at);
  }
  return start + literal.length;
}

function scanString(text: string, start: number): number | JsonFault {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') return at + 1;
    if (char < ' ') return unexpected(text, at);
    if (char !== '\\') continue;
    at++;
    if (text[at] !== 'u') {
      if (at >= text.length || !'"\\/bfnrt'.includes(text.charAt(at))) return unexpected(text, at);
      continue;
    }
    for (let digit = 0; digit < 4; digit++) if (!/[0-9a-f]/i.test(text.charAt(++at))) return unexpected(text, at);
  }
  return unexpected(text, text.length);
}

function scanNumber(text: string, start: number): number | JsonFault {
  let at = start + (text[start] === '-' ? 1 : 0);
  const first = at;
  at = skipDigits(text, at);
  if (at === first) return unexpected(text, at);
  if (text[first] === '0' && at > first + 1) return unexpected(text, first + 1);
  if (text[at] === '.') {
    const fraction = at + 1;
    at = skipDigits(text, fraction);
    if (at === fraction) return unexpected(text, at);
  }
  if (text[at] === 'e' || text[at] === 'E') {
    at += text[at + 1] === '+' || text[at + 1] === '-' ? 2 : 1;
    const exponent = at;
    at = skipDigits(text, exponent);
    if (at === exponent) return unexpected(text, at);
  }
  return at;
}

function skipDigits(text: string, at: number): number {
  let end = at;
  while (end < text.length && text.charAt(end) >= '0' && text.charAt(end) <= '9') end++;
  return end;
}
