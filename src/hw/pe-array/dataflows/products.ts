/** The products of a sum, in the order in which the rows of a weight- or input-stationary array take them. */
import { ceilDiv } from '../../../core/integers.ts';
import type { PeArrayConfig } from '../config.ts';

/** Input channels and kernel taps of a group. */
export interface Products {
  readonly channels: number;
  readonly taps: number;
}

/** The products of a fold: `count` of them from number `first` in the order on. */
export interface ProductPart {
  readonly first: number;
  readonly count: number;
}

/** `products: flattened`: tap after tap of a channel, any `rows` of them a fold; `channels`: channel after channel of a tap. */
export function productParts(
  { channels, taps }: Products,
  { rows, products }: Pick<PeArrayConfig, 'rows' | 'products'>,
): ProductPart[] {
  const [stretches, length] = products === 'flattened' ? [1, channels * taps] : [taps, channels];
  const parts: ProductPart[] = [];
  for (let stretch = 0; stretch < stretches; stretch++) {
    for (let first = 0; first < length; first += rows) {
      parts.push({ first: stretch * length + first, count: Math.min(rows, length - first) });
    }
  }
  return parts;
}

/** How many there are. */
export function productPartCount(
  { channels, taps }: Products,
  { rows, products }: Pick<PeArrayConfig, 'rows' | 'products'>,
): number {
  return products === 'flattened' ? ceilDiv(channels * taps, rows) : taps * ceilDiv(channels, rows);
}

/** Channel and tap of a product by its number in the order. */
export function productAt(
  number: number,
  { channels, taps }: Products,
  { products }: Pick<PeArrayConfig, 'products'>,
): { channel: number; tap: number } {
  return products === 'flattened'
    ? { channel: Math.floor(number / taps), tap: number % taps }
    : { channel: number % channels, tap: Math.floor(number / channels) };
}
