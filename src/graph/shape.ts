/** Bounds on tensors: what is absurd is refused in one line before anything is allocated. */
import { InputError } from '../core/diagnostics.ts';
import { product } from '../core/integers.ts';
import type { Shape } from './graph.ts';

/** The most elements that one feature map or parameter may have. */
export const MAXIMUM_ELEMENTS = 2 ** 28;
/** The most channels that one feature map may have. */
export const MAXIMUM_CHANNELS = 65536;

/** "16 x 416 x 416": channels, rows, columns. */
export function formatShape(shape: readonly number[]): string {
  return shape.join(' x ');
}

/**
 * Refuses a feature map that is empty, fractional, or beyond the bounds above.
 * @param what names the tensor at the start of the message ("the input", "the output").
 * @throws InputError without position.
 */
export function checkShape(what: string, shape: Shape): void {
  const [channels] = shape;
  if (shape.length !== 3 || shape.some((side) => !Number.isInteger(side) || side < 1)) {
    throw new InputError(
      `${what} is ${formatShape(shape)}, expected three whole numbers of at least 1 (channels x rows x columns)`,
    );
  }
  if (channels > MAXIMUM_CHANNELS) {
    throw new InputError(`${what} has ${channels} channels, expected at most ${MAXIMUM_CHANNELS}`);
  }
  checkElements(what, shape);
}

/** Refuses a tensor of more than 2^28 elements. @throws InputError without position. */
export function checkElements(what: string, shape: readonly number[]): void {
  const elements = product(shape);
  if (elements > MAXIMUM_ELEMENTS) {
    throw new InputError(
      `${what} (${formatShape(shape)}) has ${elements} elements, expected at most ${MAXIMUM_ELEMENTS} (2^28)`,
    );
  }
}
