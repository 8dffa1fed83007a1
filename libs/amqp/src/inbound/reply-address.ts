// Where an answer may go. A request names the address itself, so it can be anything: a malformed direct
// reply-to makes RabbitMQ close the connection that publishes to it, and a reply-to that names the request
// queue itself would make the handler answer itself for ever.

const DIRECT = 'amq.rabbitmq.reply-to';

/** Addresses that were found harmless: so many, since anybody can make some. */
const REMEMBERED = 1_000;
const harmless = new Set<string>();

/** Whether it is, or pretends to be, an address of RabbitMQ's direct reply-to: one that is no queue. */
export function isDirect(replyTo: string): boolean {
  return replyTo.startsWith(DIRECT);
}

/** Whether an answer may be sent to `replyTo`. `prefixes`: the names that queues may begin with; undefined allows all. */
export function mayReplyTo(
  replyTo: string,
  requestQueue: string,
  prefixes: readonly string[] | undefined,
): boolean {
  if (isDirect(replyTo)) return isHarmless(replyTo);
  if (replyTo === requestQueue) return false;
  return prefixes === undefined || prefixes.some((prefix) => replyTo.startsWith(prefix));
}

/**
 * RabbitMQ's names are `amq.rabbitmq.reply-to.<process>.<key>`, both in base64; only a name of two such parts that does
 * not decode hurts it. Other brokers make names of another form, and RabbitMQ returns those as unroutable.
 */
function isHarmless(replyTo: string): boolean {
  // A caller has one address for all its calls.
  if (harmless.has(replyTo)) return true;
  if (!isWellFormed(replyTo)) return false;
  if (harmless.size >= REMEMBERED) harmless.clear();
  harmless.add(replyTo);
  return true;
}

function isWellFormed(replyTo: string): boolean {
  if (replyTo === DIRECT) return false;
  const parts = replyTo.slice(DIRECT.length + 1).split('.');
  if (parts.length !== 2) return true;
  const [bytes, key] = parts.map(base64);
  return bytes !== undefined && key !== undefined && isProcess(bytes);
}

function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined;
}

// Erlang's external form of a process: version 131, tag 88 (103 in old releases), the node's name as an atom
// (tag 119 with one byte of length, 100 or 118 with two), and 12 bytes (9 in old releases) that count.
function isProcess(bytes: Buffer): boolean {
  if (bytes.length < 4 || bytes[0] !== 131) return false;
  const counters = bytes[1] === 88 ? 12 : bytes[1] === 103 ? 9 : undefined;
  if (counters === undefined) return false;
  if (bytes[2] === 119) return bytes.length === 4 + bytes[3] + counters;
  const long = bytes[2] === 118 || bytes[2] === 100;
  return long && bytes.length >= 5 && bytes.length === 5 + bytes.readUInt16BE(3) + counters;
}
