// What a publisher may be asked to send by mistake: payloads, names, properties and headers that no wire can carry. Each
// must fail alone, before the wire, with an error that names what is wrong. Data only, for any library whose publish
// takes a key, a payload and options.

/** The largest body that the publisher under test sends. */
export const LIMIT = 1_500;

/** One publish, and what its error must say. */
export interface BadPublish {
  readonly name: string;
  readonly routingKey: unknown;
  readonly payload: unknown;
  readonly options: object;
  readonly says: RegExp;
}

const circular: Record<string, unknown> = {};
circular.self = circular;
const throws = (): never => {
  throw new Error('own error');
};
const long = 'é'.repeat(200);
const body = (name: string, payload: unknown, says: RegExp, options: object = {}): BadPublish => ({
  name: `a payload that is ${name}`,
  routingKey: 'bad',
  payload,
  options,
  says,
});
const key = (name: string, routingKey: unknown, says: RegExp): BadPublish => ({
  name: `a routing key that is ${name}`,
  routingKey,
  payload: 1,
  options: {},
  says,
});
const option = (name: string, options: object, says: RegExp): BadPublish => ({
  name,
  routingKey: 'bad',
  payload: 1,
  options,
  says,
});
const header = (name: string, value: unknown, says = /header 'odd'/): BadPublish =>
  option(`a header that is ${name}`, { headers: { odd: value } }, says);

export const publishes: readonly BadPublish[] = [
  body('circular', circular, /cannot be written as JSON/),
  body('a BigInt', 1n, /BigInt/),
  body('a BigInt deep inside', { a: [{ b: 1n }] }, /BigInt/),
  body('a function', () => 1, /type function as JSON/),
  body('a symbol', Symbol('x'), /type symbol as JSON/),
  body('an object whose toJSON throws', { toJSON: throws }, /own error/),
  body(
    'an object whose getter throws',
    {
      get a() {
        return throws();
      },
    },
    /own error/,
  ),
  body('a Proxy that throws', new Proxy({}, { get: throws, ownKeys: throws }), /own error/),
  body('no text under text/plain', {}, /as text/, { contentType: 'text/plain' }),
  body('no bytes under application/octet-stream', {}, /as bytes/, {
    contentType: 'application/octet-stream',
  }),
  body('of a type that nothing writes', {}, /no codec can encode/, { contentType: 'application/xml' }),
  body('over the limit', Buffer.alloc(2_000), /2000 bytes/),
  body('over the limit, and small when compressed', Buffer.alloc(2_000), /2000 bytes/, {
    contentEncoding: 'gzip',
  }),
  key('longer than 255 bytes', long, /routing key is 400 bytes/),
  key('a number', 5, /routing key must be a string, but is a number/),
  key('an object', {}, /routing key must be a string, but is a/),
  key('null', null, /routing key must be a string, but is null/),
  key('a name with NUL', 'a\0b', /NUL/),
  key('half a character', 'a\ud800', /lone surrogate/),
  option('an exchange that is an object', { exchange: {} }, /exchange must be a string/),
  option(
    'a delay to an exchange whose wait queue would have too long a name',
    { exchange: 'x'.repeat(245), delay: 10 },
    /name of the queue in which a message would wait is \d+ bytes long/,
  ),
  option('an exchange longer than 255 bytes', { exchange: long }, /exchange is 400 bytes/),
  option('headers that are a text', { headers: 'x' }, /headers must be an object/),
  option('headers that are a list', { headers: [1] }, /headers must be an object/),
  header('a function', () => 1),
  header('a symbol', Symbol('x')),
  header('a BigInt', 1n),
  header('circular', circular),
  header('NaN', NaN),
  header('endless', -Infinity),
  header('a Map', new Map([[1, 2]])),
  header('a Promise', Promise.resolve(1)),
  header('no date', new Date(NaN)),
  header('a list with a hole', [1, undefined]),
  header('a table with a function deep inside', { a: { b: () => 1 } }),
  header('a Proxy that throws', new Proxy({}, { get: throws, ownKeys: throws })),
  header('larger than a frame', 'x'.repeat(200_000), /headers take \d+ bytes, of which 'odd'/),
  header('a type that the wire has not', { '!': 'nonsense', value: 1 }, /cannot be sent/),
  option(
    'many headers, larger than a frame together',
    { headers: Object.fromEntries(Array.from({ length: 800 }, (_, n) => [`h${n}`, 'x'.repeat(100)])) },
    /headers take \d+ bytes/,
  ),
  option(
    'a header whose getter throws',
    {
      headers: {
        get odd() {
          return throws();
        },
      },
    },
    /header 'odd' cannot be read/,
  ),
  option('a header name longer than 255 bytes', { headers: { [long]: 1 } }, /header name/),
  option('a header name with NUL', { headers: { 'a\0': 1 } }, /header name/),
  option('a header called __proto__', { headers: JSON.parse('{"__proto__":1}') as object }, /__proto__/),
  option('a CC that is no list', { headers: { CC: 'x' } }, /header 'CC'/),
  option('a BCC of numbers', { headers: { BCC: [1] } }, /header 'BCC'/),
  option('a CC with a key longer than 255 bytes', { headers: { CC: [long] } }, /header 'CC'/),
  ...['high', 300, -1, 1.5, NaN, null].map((priority) =>
    option(`a priority of ${String(priority)}`, { priority }, /priority/),
  ),
  ...['soon', -1, '9'.repeat(400), NaN, 2 ** 40, {}].map((expiration) =>
    option(`an expiration of ${JSON.stringify(expiration).slice(0, 20)}`, { expiration }, /expiration/),
  ),
  ...(['messageId', 'correlationId', 'type', 'userId', 'contentType'] as const).flatMap((name) => [
    option(`a ${name} that is a number`, { [name]: 5 }, new RegExp(name)),
    option(`a ${name} longer than 255 bytes`, { [name]: `text/${long}` }, new RegExp(name)),
  ]),
  option('a userId of another user', { userId: 'somebody-else' }, /userId is 'somebody-else'/),
  option('an encoding that nobody knows', { contentEncoding: 'zstd' }, /contentEncoding must be gzip/),
  option('a delay that is no duration', { delay: 'tomorrow' }, /delay/),
  option('a delay below zero', { delay: -1 }, /delay/),
  option('a delay with an expiration', { delay: 10, expiration: 5 }, /delay and expiration/),
  option('a timeout that is no duration', { timeout: -5 }, /timeout/),
];
