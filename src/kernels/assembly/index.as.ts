/**
 * @fileoverview The kernels the simulated machine computes with: one WebAssembly module over an imported memory
 * that holds every simulated buffer. No static data, no allocation; the host owns the address space.
 */
export { convolve } from './convolve.as';
export { requantise, widen } from './requantise.as';
export { crossChannelMaximum } from './cross-channel.as';
export { averagePool, maximumPool } from './pool.as';
export { copy } from './copy.as';
