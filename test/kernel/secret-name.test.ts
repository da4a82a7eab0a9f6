import { isSecretName, withoutSecrets } from '../../src/secret-name.ts';

describe('a field with the name of a secret', () => {
  it.each([
    ...['password', 'userPassword', 'passwordHash', 'passwd', 'pass', 'PWD', 'db_pwd', 'passphrase', 'pin', 'userPin'],
    ...['secret', 'clientSecret', 'token', 'access_token', 'refreshToken', 'jwt', 'idJwt', 'auth', 'basic-auth'],
    ...['apiKey', 'api_key', 'x-api-key', 'awsAccessKeyId', 'privateKey', 'Authorization', 'bearer', 'credentials'],
    ...['Cookie', 'set-cookie', 'sessionId', 'session_id', 'creditCard', 'card number', 'cvv', 'ssn'],
  ])('%s is one', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each(['user', 'author', 'authored', 'passenger', 'compass', 'spin', 'pinned', 'keyword', 'monkey', 'session', ''])(
    '%s is not one',
    (name) => {
      expect(isSecretName(name)).toBe(false);
    },
  );
});

describe('a text with secrets', () => {
  it.each([
    ['a URL', 'to https://ann:pa:ss@host/x', 'to https://ann:(left out)@host/x'],
    ['a URL without a user', 'redis://:pw@host', 'redis://:(left out)@host'],
    ['a header', 'Bearer abc.d-e', 'Bearer (left out)'],
    ['a header with its name', 'Authorization: Basic YW5uOnBhc3M=', 'Authorization: (left out) (left out)'],
    ['JSON', '{"user":"ann","password":"a b\\"c","n":1}', '{"user":"ann","password":(left out),"n":1}'],
    ['JSON in JSON', '{\\"token\\":\\"a b\\",\\"n\\":1}', '{\\"token\\":(left out),\\"n\\":1}'],
    ['JSON that is cut', '{"password":"a b', '{"password":(left out)'],
    ['a query', '?api_key=k1&page=2', '?api_key=(left out)&page=2'],
    ['a connection string', 'Host=h;Pwd=x;Port=1', 'Host=h;Pwd=(left out);Port=1'],
  ])('is shown without them: %s', (_, text, told) => {
    expect(withoutSecrets(text)).toBe(told);
  });

  it.each(['http://host:8080/a@b', 'ann@host', 'author: ann', 'a basic text', '{"n":1}', ''])(
    'has none: %s',
    (text) => {
      expect(withoutSecrets(text)).toBe(text);
    },
  );

  it.each(['://a:', 'a', 'a:', '\\', 'token="\\', 'bearer ', ' '])('takes bounded time: %j repeated', (piece) => {
    expect(withoutSecrets(piece.repeat(1_024 / piece.length)).length).toBeLessThan(10_000);
  });
});
