// CRC-32 (IEEE 802.3), by which a record tells whether it was written whole. Node has its own only since version 22.

const TABLE = new Int32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLE[byte] = value;
}

/** The checksum of these buffers one after the other. */
export function crc32(...buffers: readonly Buffer[]): number {
  let crc = -1;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length; at += 1) crc = TABLE[(crc ^ buffer[at]) & 0xff] ^ (crc >>> 8);
  }
  return (crc ^ -1) >>> 0;
}
