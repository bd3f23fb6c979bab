/** Floating-point numbers of 16 bits as numbers. */

/** IEEE 754 binary16: 5 bits of exponent, 10 of fraction. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

const bfloat = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
export function bfloatToNumber(bits: number): number {
  bfloat.setUint16(0, bits);
  return bfloat.getFloat32(0);
}
