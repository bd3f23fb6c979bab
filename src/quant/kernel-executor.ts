/**
 * The quantised network on the host, as fast as the kernels go: the integer core without a machine around it.
 *
 * Whole maps, one after the other, in one memory: weights are packed once, tensors have fixed places. Every number
 * format is computed by the same kernels the simulated machine uses; the fast ones where they apply, the exact
 * 64-bit ones elsewhere.
 */
import { assert, InputError } from '../core/diagnostics.ts';
import { containerBytes } from '../core/fixed-point.ts';
import { alignUp, product } from '../core/integers.ts';
import type { IntegerValues } from '../graph/op.ts';
import { HostConvolution } from '../kernels/host-convolution.ts';
import {
  type ConvolutionArguments,
  createMemory,
  FIRST_FREE_ADDRESS,
  type Kernels,
  loadKernels,
  MAXIMUM_MEMORY_BYTES,
  RECORD_BYTES,
  roundingNumbers,
  WIDE_RECORD_BYTES,
} from '../kernels/kernels.ts';
import { writeParameterRecords } from '../kernels/records.ts';
import { givenValues } from './input.ts';
import type { QuantisedLayer, QuantisedNetwork, QuantisedTensor } from './quantised.ts';
import { makeValues } from './values.ts';

/** Does a layer's work on the tensors in memory; returns additions that left the accumulator. */
type LayerRun = () => number;

export class KernelExecutor {
  private constructor(
    private readonly quantised: QuantisedNetwork,
    private readonly memory: WebAssembly.Memory,
    private readonly places: ReadonlyMap<string, number>,
    private readonly runs: readonly LayerRun[],
  ) {}

  /** Lays out the memory, packs weights. Throws `InputError` for networks that need more than 2 GiB. */
  static async load(quantised: QuantisedNetwork): Promise<KernelExecutor> {
    const plan = new Plan(quantised);
    const { layers } = plan;
    const memory = createMemory(plan.totalBytes);
    const kernels = await loadKernels(memory);
    const runs = layers.map((layer) => layer.load(kernels, memory));
    return new KernelExecutor(quantised, memory, plan.places, runs);
  }

  /**
   * @param input of the input tensor's format, [channels][rows][columns]
   * @param keep tensors to hand back
   * @returns by tensor name, and how many additions overflowed
   */
  run(
    input: IntegerValues,
    keep: (tensor: string) => boolean = (tensor) => this.quantised.network.machineOutputs.includes(tensor),
  ): { readonly tensors: Map<string, IntegerValues>; readonly overflows: number } {
    const { network, tensors } = this.quantised;
    const { shape } = network.graph.input;
    assert(input.length === product(shape), 'the input has another size than the network reads');
    for (const [name, values] of givenValues(this.quantised, input)) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      new Uint8Array(this.memory.buffer).set(bytes, this.places.get(name)!);
    }
    let overflows = 0;
    for (const run of this.runs) overflows += run();
    const kept = new Map<string, IntegerValues>();
    for (const [tensor, place] of this.places) {
      if (!keep(tensor)) continue;
      const { format, shape: tensorShape } = tensors.get(tensor)!;
      const values = makeValues(format, product(tensorShape));
      new Uint8Array(values.buffer).set(new Uint8Array(this.memory.buffer, place, values.byteLength));
      kept.set(tensor, values);
    }
    return { tensors: kept, overflows };
  }
}

/** A layer whose places are fixed; `load` writes its constants and binds the kernels. */
interface PlannedLayer {
  load(kernels: Kernels, memory: WebAssembly.Memory): LayerRun;
}

/** Everything a layer's run needs to know of its surroundings. */
interface LayerContext {
  readonly layer: QuantisedLayer;
  readonly inputs: readonly { readonly place: number; readonly tensor: QuantisedTensor }[];
  readonly output: { readonly place: number; readonly tensor: QuantisedTensor };
  readonly bytes: 1 | 2;
  readonly unsigned: 0 | 1;
  readonly rounding: number;
  readonly accumulatorBits: number;
  readonly wraps: 0 | 1;
  /** Room for sums, shared by all layers. */
  readonly accumulators: number;
}

class Plan {
  readonly places = new Map<string, number>();
  readonly layers: PlannedLayer[] = [];
  totalBytes = FIRST_FREE_ADDRESS;

  constructor(quantised: QuantisedNetwork) {
    const { network, tensors, numbers } = quantised;
    const bytes = containerBytes(numbers.activations.bits);
    for (const [name, { shape }] of tensors) this.places.set(name, this.take(product(shape) * bytes));
    let largest = 0;
    let workspaceBytes = 0;
    const convolutions = new Map<QuantisedLayer, HostConvolution>();
    for (const layer of quantised.layers) {
      largest = Math.max(largest, product(layer.layer.outputShape));
      const convolution = hostConvolution(layer, quantised);
      if (convolution === undefined) continue;
      convolutions.set(layer, convolution);
      workspaceBytes = Math.max(workspaceBytes, convolution.workspaceBytes);
    }
    const accumulators = this.take(8 * largest);
    const workspace = this.take(workspaceBytes);
    const at = (name: string) => ({ place: this.places.get(name)!, tensor: tensors.get(name)! });
    for (const layer of quantised.layers) {
      const context: LayerContext = {
        layer,
        inputs: layer.layer.inputs.map(at),
        output: at(layer.layer.output),
        bytes,
        unsigned: numbers.activations.signed ? 0 : 1,
        rounding: roundingNumbers[numbers.rounding],
        accumulatorBits: numbers.accumulator.bits,
        wraps: numbers.accumulator.overflow === 'wrap' ? 1 : 0,
        accumulators,
      };
      this.layers.push(this.planLayer(context, convolutions.get(layer), workspace));
    }
    if (this.totalBytes > MAXIMUM_MEMORY_BYTES) {
      throw new InputError(
        `${network.graph.name}: needs ${this.totalBytes} bytes of memory, expected at most ${MAXIMUM_MEMORY_BYTES}`,
      );
    }
  }

  private take(bytes: number): number {
    const start = this.totalBytes;
    this.totalBytes = alignUp(start + bytes, 64);
    return start;
  }

  private planLayer(
    context: LayerContext,
    convolution: HostConvolution | undefined,
    workspace: number,
  ): PlannedLayer {
    const { layer } = context;
    const { table } = layer;
    const tablePlace = table === undefined ? 0 : this.take(table.byteLength);
    const computed = this.planWork(context, convolution, workspace);
    if (table === undefined) return computed;
    return {
      load(kernels, memory) {
        setBytes(memory, tablePlace, table);
        const run = computed.load(kernels, memory);
        const { output, bytes, unsigned } = context;
        const count = product(layer.layer.outputShape);
        return () => {
          const overflows = run();
          const { place } = output;
          kernels.lookup(place, count, bytes, unsigned, layer.output.low, tablePlace, bytes, place);
          return overflows;
        };
      },
    };
  }

  private planWork(
    context: LayerContext,
    convolution: HostConvolution | undefined,
    workspace: number,
  ): PlannedLayer {
    const { work } = context.layer.layer;
    switch (work.stage) {
      case 'array':
        return convolution === undefined
          ? this.planExactConvolution(context)
          : this.planConvolution(context, convolution, workspace);
      case 'activation':
      case 'sum':
      case 'join':
        return this.planRequantisation(context);
      case 'crossChannel':
      case 'pool':
      case 'rearrange':
        return { load: (kernels) => mover(kernels, context) };
    }
  }

  private planConvolution(
    { layer, inputs, output }: LayerContext,
    convolution: HostConvolution,
    workspace: number,
  ): PlannedLayer {
    const ordered = channelsFirst(layer);
    const weights = this.take(ordered.byteLength);
    const packed = this.take(convolution.packedBytes);
    const records = this.take(RECORD_BYTES * layer.channels!.length);
    return {
      load(kernels, memory) {
        setBytes(memory, weights, ordered);
        convolution.pack(kernels, weights, packed);
        writeParameterRecords(new DataView(memory.buffer), records, layer.channels!, false);
        return () => {
          convolution.run(kernels, inputs[0]!.place, packed, records, output.place, workspace);
          return 0;
        };
      },
    };
  }

  /** For formats and sums that only the 64-bit kernels take. */
  private planExactConvolution(context: LayerContext): PlannedLayer {
    const { layer, inputs, output, accumulators } = context;
    const { work, inputShapes, outputShape } = layer.layer;
    assert(work.stage === 'array', 'not a convolution');
    const { groups, kernel, stride, dilation, padding, filters } = work.convolution;
    const ordered = channelsFirst(layer);
    const weights = this.take(ordered.byteLength);
    const records = this.take(WIDE_RECORD_BYTES * filters);
    const [channels, rows, columns] = inputShapes[0]!;
    const [, outRows, outColumns] = outputShape;
    const { bytes, unsigned, accumulatorBits, wraps } = context;
    const { zeroPoint } = inputs[0]!.tensor;
    const pixels = outRows * outColumns;
    const groupChannels = channels / groups;
    const groupFilters = filters / groups;
    const groupWeightBytes = ordered.byteLength / groups;
    return {
      load(kernels, memory) {
        setBytes(memory, weights, ordered);
        writeParameterRecords(new DataView(memory.buffer), records, layer.channels!, true);
        return () => {
          let overflows = 0;
          for (let group = 0; group < groups; group++) {
            const of: ConvolutionArguments = [
              inputs[0]!.place + group * groupChannels * rows * columns * bytes,
              columns * bytes,
              rows * columns * bytes,
              rows,
              columns,
              groupChannels,
              padding.top,
              padding.left,
              kernel[0],
              kernel[1],
              stride[0],
              stride[1],
              dilation[0],
              dilation[1],
              outRows,
              outColumns,
              groupFilters,
              weights + group * groupWeightBytes,
              accumulators + 8 * group * groupFilters * pixels,
              0,
            ];
            overflows += kernels.convolveExact(
              ...of,
              bytes,
              unsigned,
              zeroPoint,
              ordered.BYTES_PER_ELEMENT,
              accumulatorBits,
              wraps,
            );
          }
          const { low, high, zeroPoint: out } = layer.output;
          return (
            overflows +
            kernels.requantiseWide(
              ...([accumulators, filters, pixels, records, low, high, output.place, out] as const),
              ...([context.rounding, bytes, accumulatorBits, wraps] as const),
            )
          );
        };
      },
    };
  }

  /** Sums, lone activations and concatenations: operands scaled into 64 bits, then requantised. */
  private planRequantisation(context: LayerContext): PlannedLayer {
    const { layer, inputs, output, accumulators, bytes, unsigned, rounding, wraps } = context;
    const [filters, rows, columns] = layer.layer.outputShape;
    const pixels = rows * columns;
    const records = this.take(WIDE_RECORD_BYTES * filters);
    const isConcat = layer.layer.work.stage === 'join';
    return {
      load(kernels, memory) {
        writeParameterRecords(new DataView(memory.buffer), records, layer.channels!, true);
        return () => {
          let to = accumulators;
          inputs.forEach(({ place, tensor }, operand) => {
            const count = product(tensor.shape);
            const multiplier = layer.operandMultipliers?.[operand] ?? 1;
            const accumulate = isConcat || operand === 0 ? 0 : 1;
            kernels.widenWide(place, count, bytes, unsigned, tensor.zeroPoint, multiplier, to, accumulate);
            if (isConcat) to += 8 * count;
          });
          const { low, high, zeroPoint } = layer.output;
          // Sums have a register of their own, as wide as any.
          kernels.requantiseWide(
            ...([accumulators, filters, pixels, records, low, high, output.place, zeroPoint] as const),
            ...([rounding, bytes, 48, wraps] as const),
          );
          return 0;
        };
      },
    };
  }
}

/** Layers that choose, average or move values of one map. */
function mover(kernels: Kernels, context: LayerContext): LayerRun {
  const { layer, inputs, output, bytes, unsigned, rounding } = context;
  const { work, inputShapes, outputShape } = layer.layer;
  const [channels, rows, columns] = inputShapes[0]!;
  const [outChannels, outRows, outColumns] = outputShape;
  const from = inputs[0]!.place;
  const to = output.place;
  if (work.stage === 'crossChannel') {
    const { kind, ratio } = work.reduction;
    const of = [from, outChannels, ratio, rows * columns, to, bytes, unsigned] as const;
    return () => {
      if (kind === 'maximum') kernels.crossChannelMaximum(...of);
      else kernels.crossChannelMean(...of, rounding);
      return 0;
    };
  }
  if (work.stage === 'pool') {
    const { kind, window, stride, padding, countIncludesPadding } = work.pooling;
    const of = [
      from,
      channels,
      rows,
      columns,
      rows * columns * bytes,
      window[0],
      window[1],
      stride[0],
      stride[1],
      padding.top,
      padding.left,
      outRows,
      outColumns,
      to,
      outRows * outColumns * bytes,
    ] as const;
    const { zeroPoint } = inputs[0]!.tensor;
    return () => {
      if (kind === 'maximum') kernels.maximumPool(...of, bytes, unsigned);
      else kernels.averagePool(...of, countIncludesPadding ? 1 : 0, bytes, unsigned, zeroPoint, rounding);
      return 0;
    };
  }
  assert(work.stage === 'rearrange', `${work.stage} moves no values`);
  const { rearrangement } = work;
  if (rearrangement.kind === 'flatBlocksToChannels') {
    // All channels of the wider map as one tall one.
    const { block } = rearrangement;
    const tall = (channels / block ** 2) * rows;
    const pitch = columns * block * bytes;
    return () => {
      for (let place = 0; place < block * block; place++) {
        kernels.gather(
          ...([from, pitch, tall * block * pitch, 1, tall, columns, block, block, 1, 1] as const),
          ...([
            Math.floor(place / block),
            place % block,
            bytes,
            to + place * tall * columns * bytes,
          ] as const),
        );
      }
      return 0;
    };
  }
  const rowPitch = columns * bytes;
  const planePitch = rows * rowPitch;
  if (rearrangement.kind === 'upsample') {
    const [repeatRows, repeatColumns] = rearrangement.factor;
    return () => {
      kernels.gather(
        ...([from, rowPitch, planePitch, channels, outRows, outColumns, 1, 1] as const),
        ...([repeatRows, repeatColumns, 0, 0, bytes, to] as const),
      );
      return 0;
    };
  }
  const { block } = rearrangement;
  return () => {
    for (let place = 0; place < block * block; place++) {
      const out = to + place * channels * outRows * outColumns * bytes;
      kernels.gather(
        ...([from, rowPitch, planePitch, channels, outRows, outColumns, block, block, 1, 1] as const),
        ...([Math.floor(place / block), place % block, bytes, out] as const),
      );
    }
    return 0;
  };
}

/** The layer as the fast convolution takes it, or undefined where only the exact one is right. */
function hostConvolution(
  { layer, output, mayOverflow }: QuantisedLayer,
  { numbers, tensors }: QuantisedNetwork,
): HostConvolution | undefined {
  const { work } = layer;
  if (work.stage !== 'array') return undefined;
  const { zeroPoint } = tensors.get(layer.inputs[0]!)!;
  const bytes = containerBytes(numbers.activations.bits);
  const weightBytes = containerBytes(numbers.weightBits);
  const isNarrow = numbers.accumulator.bits <= 32 && numbers.multiplierBits <= 16 && !mayOverflow;
  const isPlain = bytes === 1 && weightBytes === 1;
  const isPlain16 = bytes === 2 && numbers.activations.signed && zeroPoint === 0;
  if (!isNarrow || !(isPlain || isPlain16)) return undefined;
  const { groups, filters, kernel, stride, dilation, padding } = work.convolution;
  const [channels, rows, columns] = layer.inputShapes[0]!;
  const [, outRows, outColumns] = layer.outputShape;
  return new HostConvolution({
    groups,
    channels: channels / groups,
    filters: filters / groups,
    rows,
    columns,
    kernelRows: kernel[0],
    kernelColumns: kernel[1],
    strideRows: stride[0],
    strideColumns: stride[1],
    dilationRows: dilation[0],
    dilationColumns: dilation[1],
    padTop: padding.top,
    padLeft: padding.left,
    outRows,
    outColumns,
    input: { bytes, unsigned: numbers.activations.signed ? 0 : 1, zeroPoint },
    weightBytes,
    output: {
      bytes,
      low: output.low,
      high: output.high,
      zeroPoint: output.zeroPoint,
      rounding: roundingNumbers[numbers.rounding],
    },
  });
}

/** Weights from [filters][channels][rows][columns] to the kernels' [groups][channels][rows][columns][filters]. */
function channelsFirst({ layer, weights }: QuantisedLayer): Int8Array | Int16Array {
  assert(weights !== undefined && layer.work.stage === 'array', `layer ${layer.name} has no weights`);
  const { groups, filters } = layer.work.convolution;
  const groupFilters = filters / groups;
  const size = weights.length / filters;
  const ordered = weights.slice();
  for (let group = 0; group < groups; group++) {
    const start = group * groupFilters * size;
    for (let filter = 0; filter < groupFilters; filter++) {
      let to = start + filter;
      for (let i = start + filter * size; i < start + (filter + 1) * size; i++) {
        ordered[to] = weights[i]!;
        to += groupFilters;
      }
    }
  }
  return ordered;
}

function setBytes(memory: WebAssembly.Memory, place: number, values: IntegerValues): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  new Uint8Array(memory.buffer).set(bytes, place);
}
