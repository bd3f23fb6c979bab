/**
 * @fileoverview The kernels the simulated machine computes with: one WebAssembly module over an imported memory
 * that holds every simulated buffer. No static data, no allocation; the host owns the address space. Compiled
 * twice: with SIMD, and without it for engines that have none (ASC_FEATURE_SIMD tells them apart).
 */
export { convolve, convolve16, convolvePacked, packWeights } from './convolve.as';
export { convolveExact } from './convolve-exact.as';
export { requantise } from './requantise.as';
export { requantiseWide } from './requantise-wide.as';
export { widen, widenWide } from './widen.as';
export { crossChannelMaximum, crossChannelMean } from './cross-channel.as';
export { crossChannelSums } from './cross-channel-sums.as';
export { averagePool, maximumPool } from './pool.as';
export { copy, gather, lookup } from './move.as';
