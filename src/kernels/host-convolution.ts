/**
 * @fileoverview A whole convolution layer at once, for inference on the host: the same kernels as the simulated
 * machine, without its tiles. Weights are packed once; a layer runs in bands of rows so that
 * its accumulators take little room and are requantised while they are still in a cache.
 */
import {
  type ConvolutionShape,
  type ElementFormat,
  type Kernels,
  packedWeightBytes,
  RECORD_BYTES,
  scratchBytes,
} from './kernels.ts';

/** A layer over whole maps; channels and filters are those of one group. */
export interface HostLayer extends ConvolutionShape {
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly input: ElementFormat & { readonly zeroPoint: number };
  /** 1: int8, 2: int16. int16 features must have zero point 0, and wide weights need int16 features. */
  readonly weightBytes: 1 | 2;
  readonly output: {
    readonly bytes: 1 | 2;
    readonly low: number;
    readonly high: number;
    readonly zeroPoint: number;
    /** One of `roundingNumbers`. */
    readonly rounding: number;
  };
}

/**
 * Accumulators and packed input of one band, in bytes. Bands keep the workspace small and within the outer caches;
 * much smaller ones cost more, in calls and in input rows packed twice, than a nearer cache saves.
 */
const BAND_BYTES = 1024 * 1024;

/** Keeps no state but sizes: all data lie in the kernels' memory, where the caller says. */
export class HostConvolution {
  /** Room for the packed weights of all groups. */
  readonly packedBytes: number;
  /** Workspace of {@link HostConvolution.run}; layers that run one after the other can share it. */
  readonly workspaceBytes: number;
  private readonly layer: HostLayer;
  private readonly packedGroupBytes: number;
  private readonly bandRows: number;
  private readonly accumulatorBytes: number;

  constructor(layer: HostLayer) {
    this.layer = layer;
    this.packedGroupBytes = packedWeightBytes(layer);
    this.packedBytes = layer.groups * this.packedGroupBytes;
    this.bandRows = bandRows(layer);
    this.accumulatorBytes = 4 * layer.filters * this.bandRows * layer.outColumns;
    this.workspaceBytes = this.accumulatorBytes + scratchBytes({ ...layer, outRows: this.bandRows });
  }

  /**
   * Packs the weights, once.
   *
   * @param weights [groups][channels][kernelRows][kernelColumns][filters].
   * @param packed {@link packedBytes} bytes.
   */
  pack(kernels: Kernels, weights: number, packed: number): void {
    const { groups, channels, kernelRows, kernelColumns, dilationColumns, filters, weightBytes } = this.layer;
    const groupBytes = channels * kernelRows * kernelColumns * filters * weightBytes;
    for (let group = 0; group < groups; group++) {
      kernels.packWeights(
        ...([weights + group * groupBytes, weightBytes, channels, kernelRows, kernelColumns] as const),
        ...([dilationColumns, filters, packed + group * this.packedGroupBytes] as const),
      );
    }
  }

  /**
   * Convolves and requantises.
   *
   * @param features [groups * channels][rows][columns].
   * @param packed From {@link HostConvolution.pack}.
   * @param parameters Records of `Kernels.requantise`, [groups * filters].
   * @param out [groups * filters][outRows][outColumns].
   * @param workspace {@link workspaceBytes} bytes.
   */
  run(
    kernels: Kernels,
    features: number,
    packed: number,
    parameters: number,
    out: number,
    workspace: number,
  ): void {
    const { layer, bandRows } = this;
    const { rows, columns, channels, filters, outRows, outColumns, input, output } = layer;
    const rowPitch = columns * input.bytes;
    const planePitch = rows * rowPitch;
    const outRowBytes = outColumns * output.bytes;
    const scratch = workspace + this.accumulatorBytes;
    for (let group = 0; group < layer.groups; group++) {
      const groupFeatures = features + group * channels * planePitch;
      const groupParameters = parameters + group * filters * RECORD_BYTES;
      const groupOut = out + group * filters * outRows * outRowBytes;
      for (let row = 0; row < outRows; row += bandRows) {
        const band = Math.min(bandRows, outRows - row);
        const top = layer.padTop - row * layer.strideRows;
        kernels.convolvePacked(
          ...([groupFeatures, rowPitch, planePitch, rows, columns, channels, top, layer.padLeft] as const),
          ...([layer.kernelRows, layer.kernelColumns, layer.strideRows, layer.strideColumns] as const),
          ...([layer.dilationRows, layer.dilationColumns, band, outColumns, filters] as const),
          ...([packed + group * this.packedGroupBytes, workspace, 0, scratch] as const),
          ...([input.bytes, input.unsigned, input.zeroPoint] as const),
        );
        // A band is contiguous per filter only: all filters go at once if there is but one band.
        const together = band === outRows ? filters : 1;
        const pixels = band * outColumns;
        for (let filter = 0; filter < filters; filter += together) {
          kernels.requantise(
            ...([workspace + 4 * filter * pixels, together, pixels] as const),
            ...([groupParameters + filter * RECORD_BYTES, output.low, output.high] as const),
            ...([groupOut + (filter * outRows + row) * outRowBytes] as const),
            ...([output.zeroPoint, output.rounding, output.bytes] as const),
          );
        }
      }
    }
  }
}

/** Rows of output per band: evenly many. */
function bandRows({ channels, filters, columns, strideRows, outRows, outColumns }: HostLayer): number {
  const rowBytes = 4 * filters * outColumns + 2 * channels * columns * strideRows;
  const bands = Math.ceil((outRows * rowBytes) / BAND_BYTES);
  return Math.ceil(outRows / Math.min(bands, outRows));
}
