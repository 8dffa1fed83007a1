// Short texts from the wire that come again and again: keys, content types, addresses, names of headers. Decoding bytes
// calls into the runtime, which costs more than to see that they are the same as before.

/** A power of two. */
const SLOTS = 256;
/** Longer ones are decoded each time. */
const LONGEST = 128;

const bytesOf = new Uint8Array(SLOTS * LONGEST);
const texts = new Array<string>(SLOTS).fill('');
const lengths = new Uint8Array(SLOTS);

/** `length` bytes from `at` on as text; the same string as the last time if nothing took its place since. */
export function cachedString(bytes: Buffer, at: number, length: number): string {
  if (length === 0) return '';
  const end = at + length;
  if (length > LONGEST || end > bytes.length) return bytes.toString('utf8', at, end);
  const slot = (length * 7 + bytes[at] * 31 + bytes[end - 1] * 13 + bytes[at + (length >> 1)]) & (SLOTS - 1);
  const first = slot * LONGEST;
  let same = lengths[slot] === length;
  for (let i = 0; same && i < length; i++) same = bytesOf[first + i] === bytes[at + i];
  if (same) return texts[slot];
  const text = bytes.toString('utf8', at, end);
  bytesOf.set(bytes.subarray(at, end), first);
  lengths[slot] = length;
  texts[slot] = text;
  return text;
}
