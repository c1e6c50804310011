/**
 * CRC-32C (Castagnoli), the checksum of our files: it finds every burst of up to 32 broken bits.
 *
 * Units:  an unsigned 32-bit integer; `seed` is the checksum of the bytes before, 0 at the start.
 * Source: RFC 3720, appendix B.4. The polynomial is 0x1edc6f41, reflected 0x82f63b78.
 */
const table = new Uint32Array(256).map((_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit += 1) word = word & 1 ? (word >>> 1) ^ 0x82f63b78 : word >>> 1;
  return word;
});

export function crc32c(bytes: Uint8Array, seed = 0): number {
  let word = ~seed;
  for (let at = 0; at < bytes.length; at += 1) {
    word = (word >>> 8) ^ (table[(word ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~word >>> 0;
}
