/** Where the array's cycles go; the parts of a step add up to its cycles. */
export interface ArrayCycles {
  /** Steps of folds, one cycle each: useful work, padded taps and partly filled folds included. */
  busy: number;
  /** Extra cycles of steps whose reads met in one bank. */
  bank: number;
  /** Waiting for data to come from, or leave to, DRAM. */
  dram: number;
  /** Nothing to do: commands not there yet, or the last values still in the pipeline. */
  dependency: number;
  /** A finished fold had to wait for post-processing. */
  postProcessing: number;
  /** Start of a command and preload of partial sums. */
  fill: number;
}

export function emptyArrayCycles(): ArrayCycles {
  return { busy: 0, bank: 0, dram: 0, dependency: 0, postProcessing: 0, fill: 0 };
}
