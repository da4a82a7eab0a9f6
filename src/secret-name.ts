const anywhere =
  /passw|passphrase|passcode|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|authori[sz]ation|bearer|credential|cookie|session[-_ ]?id|credit[-_ ]?card|card[-_ ]?number/i;

/** Too short to be looked for within longer words: an author is no secret. */
const asWord = /(?:^|[^a-z])(?:pass|pwd|pin|auth|jwt|cvv|cvc|ssn)(?:$|[^a-z])/;

/** Whether a field of this name holds what does not belong into a message or log. */
export function isSecretName(name: string): boolean {
  return anywhere.test(name) || asWord.test(name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase());
}
