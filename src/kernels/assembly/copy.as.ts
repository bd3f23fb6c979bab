/**
 * @fileoverview Block copy: the engine's memory.copy is the fastest there is, so the kernel is only its name.
 */

/** See `Kernels.copy` in kernels.ts. */
export function copy(destination: usize, source: usize, bytes: usize): void {
  memory.copy(destination, source, bytes);
}
