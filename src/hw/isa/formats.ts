/**
 * The instruction set: one table a command, a row a field. Encoding, decoding, disassembly and documentation all
 * read these tables; a command word is 512 bits, fields packed from bit 0 in the order written here.
 *
 * Addresses of buffers and DRAM are bytes. A transfer is three-dimensional: `segments` stretches of DRAM, each
 * `stretchBytes` long without a gap, scattered over (or gathered from) the buffer in runs of `runBytes`.
 */

export interface Field {
  readonly name: string;
  readonly bits: number;
  readonly signed?: true;
  readonly meaning: string;
}

export const wordBytes = 64;
export const opcodeBits = 4;

const transferFields = [
  { name: 'kind', bits: 2, meaning: 'what the bytes are, for the traffic statistics (see trafficKinds)' },
  { name: 'buffer', bits: 3, meaning: 'on-chip buffer (see bufferNames)' },
  { name: 'dramAddress', bits: 32, meaning: 'first byte in DRAM' },
  { name: 'segments', bits: 24, meaning: 'contiguous stretches of DRAM' },
  { name: 'dramPitch', bits: 32, meaning: 'bytes from one stretch to the next in DRAM' },
  { name: 'stretchBytes', bits: 25, meaning: 'bytes of a stretch: whole runs' },
  { name: 'runBytes', bits: 24, meaning: 'bytes of a run' },
  { name: 'bufferAddress', bits: 24, meaning: 'first byte in the buffer' },
  { name: 'bufferSegmentPitch', bits: 24, meaning: 'bytes between stretches in the buffer' },
  { name: 'bufferRunPitch', bits: 24, meaning: 'bytes between runs in the buffer' },
] as const;

export const formats = {
  load: {
    opcode: 1,
    queue: 'load',
    summary: 'DRAM to buffer',
    fields: [
      { name: 'waitCompute', bits: 1, meaning: 'take a token from the compute queue first (a slot is free)' },
      { name: 'signalCompute', bits: 1, meaning: 'give the compute queue a token when the last byte is in' },
      ...transferFields,
    ],
  },
  store: {
    opcode: 2,
    queue: 'store',
    summary: 'buffer to DRAM',
    fields: [
      {
        name: 'waitCompute',
        bits: 1,
        meaning: 'take a token from the compute queue first (the tile is complete)',
      },
      { name: 'signalCompute', bits: 1, meaning: 'give the compute queue a token when the last byte is out' },
      ...transferFields,
    ],
  },
  postProcess: {
    opcode: 3,
    queue: 'compute',
    summary: 'settings of the post-processing pipeline for the next tile that leaves the array',
    fields: [
      { name: 'requantise', bits: 1, meaning: '1: scale by the parameter records; 0: values pass unchanged' },
      { name: 'parameterAddress', bits: 24, meaning: 'first record in the parameter buffer' },
      { name: 'low', bits: 17, signed: true, meaning: 'saturation bound' },
      { name: 'high', bits: 17, signed: true, meaning: 'saturation bound' },
      { name: 'zeroPoint', bits: 17, signed: true, meaning: 'integer of real zero behind the requantiser' },
      { name: 'lookup', bits: 1, meaning: '1: replace every value by entry (value - low) of the table' },
      { name: 'unsigned', bits: 1, meaning: 'values behind the requantiser (or the table) are unsigned' },
      { name: 'ratio', bits: 5, meaning: 'cross-channel pooling: maps a group (1: off)' },
      { name: 'mean', bits: 1, meaning: 'cross-channel pooling: 0 maximum, 1 mean' },
      { name: 'poolKind', bits: 2, meaning: 'spatial pooling: 0 off, 1 maximum, 2 average' },
      { name: 'windowRows', bits: 6, meaning: 'pooling window' },
      { name: 'windowColumns', bits: 6, meaning: 'pooling window' },
      { name: 'strideRows', bits: 8, meaning: 'pooling stride' },
      { name: 'strideColumns', bits: 8, meaning: 'pooling stride' },
      { name: 'padTop', bits: 6, meaning: 'window rows above the first row of the tile' },
      { name: 'padLeft', bits: 6, meaning: 'window columns left of the first column' },
      { name: 'countPadding', bits: 1, meaning: 'average: divide by the whole window even at the edge' },
      { name: 'outRows', bits: 16, meaning: 'rows of the tile after pooling' },
      { name: 'outColumns', bits: 16, meaning: 'columns of the tile after pooling' },
      { name: 'outputAddress', bits: 24, meaning: 'first byte in the output buffer; maps follow each other' },
      // Last, so that a machine whose groups never take turns leaves these bits out of its registers.
      {
        name: 'interleave',
        bits: 5,
        meaning: 'cross-channel pooling: groups whose maps take turns (0: one after the other)',
      },
    ],
  },
  compute: {
    opcode: 4,
    queue: 'compute',
    summary: 'one tile: through the PE array, or streamed past it',
    fields: [
      { name: 'waitLoad', bits: 1, meaning: 'take a token from the load queue first (operands are in)' },
      {
        name: 'waitStore',
        bits: 1,
        meaning: 'take a token from the store queue first (an output slot is free)',
      },
      {
        name: 'signalLoad',
        bits: 1,
        meaning: 'give the load queue a token when operands are no longer read',
      },
      { name: 'signalStore', bits: 1, meaning: 'give the store queue a token when the tile is complete' },
      {
        name: 'stream',
        bits: 1,
        meaning: '1: feature buffer straight to post-processing; 0: through the array',
      },
      { name: 'accumulateIn', bits: 1, meaning: 'start from the partial sums in the accumulator buffer' },
      { name: 'accumulateOut', bits: 1, meaning: 'leave partial sums there instead of post-processing' },
      { name: 'elementBytes', bits: 2, meaning: 'bytes of a feature, in and out: 1 or 2' },
      { name: 'unsigned', bits: 1, meaning: 'features read are unsigned' },
      { name: 'zeroPoint', bits: 17, signed: true, meaning: 'subtracted from every feature read' },
      { name: 'weightBytes', bits: 2, meaning: 'bytes of a weight: 1 or 2' },
      { name: 'watch', bits: 1, meaning: 'sums may leave the accumulator: saturate or wrap, and count' },
      { name: 'operands', bits: 4, meaning: 'stream: maps that are scaled and summed (0: none are)' },
      { name: 'operandPitch', bits: 24, meaning: 'bytes between the operands in the feature buffer' },
      { name: 'repeatRows', bits: 7, meaning: 'stream: output rows that read the same input row' },
      { name: 'repeatColumns', bits: 7, meaning: 'stream: output columns that read the same input column' },
      { name: 'featureAddress', bits: 24, meaning: 'first byte of the input in the feature buffer' },
      { name: 'rowPitch', bits: 20, meaning: 'bytes between rows' },
      { name: 'planePitch', bits: 24, meaning: 'bytes between channels' },
      { name: 'rows', bits: 16, meaning: 'input rows present; others read as real zero' },
      { name: 'columns', bits: 16, meaning: 'input columns; others read as real zero' },
      { name: 'groups', bits: 17, meaning: 'groups of the convolution in this tile' },
      { name: 'channels', bits: 17, meaning: 'input channels a group' },
      { name: 'filters', bits: 17, meaning: 'filters a group' },
      { name: 'kernelRows', bits: 8, meaning: 'taps' },
      { name: 'kernelColumns', bits: 8, meaning: 'taps' },
      { name: 'strideRows', bits: 8, meaning: 'convolution stride' },
      { name: 'strideColumns', bits: 8, meaning: 'convolution stride' },
      { name: 'dilationRows', bits: 8, meaning: 'distance of taps' },
      { name: 'dilationColumns', bits: 8, meaning: 'distance of taps' },
      { name: 'padTop', bits: 17, signed: true, meaning: 'input row of output row 0, tap 0, is -padTop' },
      {
        name: 'padLeft',
        bits: 17,
        signed: true,
        meaning: 'input column of output column 0, tap 0, is -padLeft',
      },
      { name: 'outRows', bits: 16, meaning: 'rows of the tile before pooling' },
      { name: 'outColumns', bits: 16, meaning: 'columns of the tile before pooling' },
      {
        name: 'weightAddress',
        bits: 24,
        meaning: 'first weight: [group][channel][kernel row][kernel column][filter]',
      },
      {
        name: 'accumulatorAddress',
        bits: 24,
        meaning: 'first vector of partial sums in the accumulator buffer; one sum a row of the array',
      },
      {
        name: 'ringRows',
        bits: 16,
        meaning: 'rows of a channel in the buffer, used in turn (0: no ring; not for sums)',
      },
      { name: 'ringRow', bits: 16, meaning: 'place of input row 0 in the ring' },
      { name: 'depthwise', bits: 1, meaning: 'one channel a group, in strips (see peArray.depthwise)' },
    ],
  },
  move: {
    opcode: 6,
    queue: 'store',
    summary: 'output buffer to feature buffer: a finished map that stays on chip',
    fields: [
      {
        name: 'waitCompute',
        bits: 1,
        meaning: 'take a token from the compute queue first (the tile is complete)',
      },
      { name: 'signalCompute', bits: 1, meaning: 'give the compute queue a token when the last byte is in' },
      { name: 'segments', bits: 24, meaning: 'groups of pieces (rows)' },
      { name: 'runs', bits: 24, meaning: 'pieces of a group (maps)' },
      { name: 'runBytes', bits: 24, meaning: 'bytes of a piece' },
      { name: 'sourceAddress', bits: 24, meaning: 'first byte in the output buffer' },
      { name: 'sourceSegmentPitch', bits: 24, meaning: 'bytes between groups there' },
      { name: 'sourceRunPitch', bits: 24, meaning: 'bytes between pieces there' },
      { name: 'targetAddress', bits: 24, meaning: 'first byte in the feature buffer' },
      { name: 'targetSegmentPitch', bits: 24, meaning: 'bytes between groups there' },
      { name: 'targetRunPitch', bits: 24, meaning: 'bytes between pieces there' },
    ],
  },
  barrier: {
    opcode: 5,
    queue: 'sequencer',
    summary: 'wait until every queue and unit is idle: the step is over',
    fields: [],
  },
} as const satisfies Record<
  string,
  {
    opcode: number;
    queue: 'load' | 'compute' | 'store' | 'sequencer';
    summary: string;
    fields: readonly Field[];
  }
>;

export type CommandName = keyof typeof formats;
type FieldName<N extends CommandName> = (typeof formats)[N]['fields'][number]['name'];
export type CommandOf<N extends CommandName> = { readonly op: N } & { readonly [F in FieldName<N>]: number };
export type Command = { [N in CommandName]: CommandOf<N> }[CommandName];
export type TransferCommand = CommandOf<'load'> | CommandOf<'store'>;

/** Codes of the `kind` field, in the order of the report's `dram.byKind`. */
export const trafficKinds = [
  'weights',
  'inputFeatureMaps',
  'outputFeatureMaps',
  'virtualFeatureMaps',
] as const;
export type TrafficKind = (typeof trafficKinds)[number];

/** Codes of the `buffer` field. */
export const bufferNames = [
  'feature',
  'weight',
  'parameter',
  'accumulator',
  'pool',
  'output',
  'table',
] as const;
export type BufferName = (typeof bufferNames)[number];

/** Codes of the `poolKind` field. */
export const poolKinds = ['off', 'maximum', 'average'] as const;
