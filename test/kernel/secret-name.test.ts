import { isSecretName } from '../../src/secret-name.ts';

describe('a field that is named like a secret', () => {
  it.each([
    ...['password', 'userPassword', 'passwordHash', 'passwd', 'pass', 'PWD', 'db_pwd', 'passphrase', 'pin', 'userPin'],
    ...['secret', 'clientSecret', 'token', 'access_token', 'refreshToken', 'jwt', 'idJwt', 'auth', 'basic-auth'],
    ...['apiKey', 'api_key', 'x-api-key', 'awsAccessKeyId', 'privateKey', 'Authorization', 'bearer', 'credentials'],
    ...['Cookie', 'set-cookie', 'sessionId', 'session_id', 'creditCard', 'card number', 'cvv', 'ssn'],
  ])('%s is one', (name) => {
    expect(isSecretName(name)).toBe(true);
  });

  it.each(['user', 'author', 'authored', 'passenger', 'compass', 'spin', 'pinned', 'keyword', 'monkey', 'session', ''])(
    '%s is none',
    (name) => {
      expect(isSecretName(name)).toBe(false);
    },
  );
});
