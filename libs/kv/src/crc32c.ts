/** Castagnoli's polynomial, reversed. @see RFC 3720, appendix B.4 */
const POLYNOMIAL = 0x82f63b78;
/** Bytes taken at once: a table for each of them. */
const SLICES = 8;

const TABLES = tables();

/**
 * CRC-32C, the checksum of a KV block's bytes. Eight bytes at a time ("slicing-by-8", Kounavis and Berry 2005).
 * @returns 32 bits, unsigned
 */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  const wholeBytes = bytes.length - (bytes.length % SLICES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = -1;
  for (let at = 0; at < wholeBytes; at += SLICES) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      t7[low & 255]! ^
      t6[(low >>> 8) & 255]! ^
      t5[(low >>> 16) & 255]! ^
      t4[low >>> 24]! ^
      t3[high & 255]! ^
      t2[(high >>> 8) & 255]! ^
      t1[(high >>> 16) & 255]! ^
      t0[high >>> 24]!;
  }
  for (let at = wholeBytes; at < bytes.length; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

function tables(): Tables {
  const all = Array.from({ length: SLICES }, () => new Int32Array(256));
  const [first] = all as [Int32Array];
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    first[byte] = crc;
  }
  for (let slice = 1; slice < SLICES; slice++) {
    const before = all[slice - 1]!;
    for (let byte = 0; byte < 256; byte++) all[slice]![byte] = (before[byte]! >>> 8) ^ first[before[byte]! & 255]!;
  }
  return all as unknown as Tables; // as many as slices
}
