const anywhere =
  /passw|passphrase|passcode|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|authori[sz]ation|bearer|credential|cookie|session[-_ ]?id|credit[-_ ]?card|card[-_ ]?number/i;

const leftOut = '(left out)';
const inUrl = /(:\/\/[^\s/@:]*:)[^\s/@]*@/g;
const inHeader = /\b(bearer\s+|basic\s+(?=[\w+/=-]{8}))[\w.~+/=-]+/gi;
/** A name, a separator, and a value: quoted, quoted inside a quoted text, or up to a space or separator. */
const named = /([\w-]{1,40})(\\*["']?\s*[:=]\s*)("(?:\\.|[^"\\])*"?|'[^']*'?|\\+"[^"]*"?|[^\s,&;"'}]+)/g;

/** Too short to match within longer words: "author" is not a secret. */
const asWord = /(?:^|[^a-z])(?:pass|pwd|pin|auth|jwt|cvv|cvc|ssn)(?:$|[^a-z])/;

/** Whether the value of a field with this name must not appear in messages and logs. */
export function isSecretName(name: string): boolean {
  return anywhere.test(name) || asWord.test(name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase());
}

/** Removes secrets that are recognizable by their context: in a URL, after `Bearer`, next to a secret name. */
export function withoutSecrets(text: string): string {
  return text
    .replace(inUrl, `$1${leftOut}@`)
    .replace(inHeader, `$1${leftOut}`)
    .replace(named, (whole, name: string, separator: string) =>
      isSecretName(name) ? `${name}${separator}${leftOut}` : whole,
    );
}
