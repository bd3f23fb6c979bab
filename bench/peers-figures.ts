/**
 * @fileoverview Figures of other tools and chips that `bench peers` prints beside ours: quoted, each with where it comes from.
 * "Measured" ones were made by running that tool; nothing here is computed by this project.
 */

/**
 * SCALE-Sim 3.0.0 on Tiny-YOLOv2's convolutions without stalls, by dataflow and side of the array. Measured: Conv1-3, 5 and 9 (ws
 * 32), Conv5 and Conv9 (os 32), Conv9 (16). Each of these equals folds x t - 1; the others are that formula. As counts: one more
 * than it prints.
 */
export const scaleSim: Readonly<Record<string, readonly number[]>> = {
  'os 32': [481312, 278512, 236600, 216920, 213664, 227136, 896640, 1781376, 26064],
  'ws 32': [173150, 216790, 196380, 201456, 221760, 302976, 1211904, 2423808, 33664],
  'os 16': [616512, 940992, 859872, 819312, 813216, 821568, 3265152, 6509184, 92752],
  'ws 16': [346204, 779580, 782064, 792000, 831744, 990720, 3962880, 7925760, 110080],
};

/**
 * The same with 10 words a cycle from and to memory (mode USER), the stalls with it; buffers of 64 KiB each are taken for granted, as in
 * the configuration that comes with it. Measured.
 */
export const scaleSimStalled = [
  { layer: 'Conv5', dataflow: 'os', side: 32, cycles: 4983665 },
  { layer: 'Conv5', dataflow: 'ws', side: 32, cycles: 2023846 },
  { layer: 'Conv9', dataflow: 'os', side: 16, cycles: 492929 },
  { layer: 'Conv9', dataflow: 'ws', side: 16, cycles: 437034 },
] as const;

/**
 * Vela 3.10 (the mirror at github.com/nxp-imx/ethos-u-vela), `--accelerator-config ethos-u55-256 --verbose-performance`, Tiny-YOLOv2
 * in int8 with random weights: its own estimate of every operation's cycles; activations are in the convolutions. Measured.
 */
export const vela: readonly { readonly convolution: number; readonly pooling: number }[] = [
  { convolution: 2983407, pooling: 445952 },
  { convolution: 1653664, pooling: 222976 },
  { convolution: 960512, pooling: 114816 },
  { convolution: 871066, pooling: 70720 },
  { convolution: 1095090, pooling: 46880 },
  { convolution: 1208385, pooling: 21632 },
  { convolution: 4831102, pooling: 0 },
  { convolution: 13268082, pooling: 0 },
  { convolution: 118756, pooling: 0 },
];

/** The network's cycles in the same report, which is no more than the sum. */
export const velaTotal = 27913039;

/**
 * ONNXim a1e8629, 16 x 16 weight-stationary, int8, Ramulator's DDR4-3200 of two 16-bit channels; its authors compared it with
 * Gemmini's RTL: mean error 0.23 % (arXiv 2406.08051). Poolings, biases and activations take no time there. Measured.
 */
export const onnxim = { A: 51054, B: 830328, network: 15853556 };

/** Other simulators of 256 elements on the same two layers. Measured. */
export const others: readonly {
  readonly name: string;
  readonly A: number;
  readonly B: number | undefined;
}[] = [
  { name: 'mNPUsim b0f3c14, 16x16 os', A: 50915, B: 815038 },
  { name: 'STONNE 22634b8, 16x16 os mesh', A: 60502, B: 823104 },
  { name: 'STONNE 22634b8, MAERI', A: 55220, B: undefined },
];

/** ResNet-50, int8, 1 GHz, frames a second: the table in NVIDIA's NVDLA primer (nvdla.org/primer.html), by its estimator. */
export const nvdla = [
  { machine: 'nvdla-small-like', multipliers: 64, framesPerSecond: 7.3 },
  { machine: 'nvdla-256-like', multipliers: 256, framesPerSecond: 46 },
] as const;

/**
 * The Eyeriss chip, frames a second of the convolutions: abstract of Chen et al., JSSC 52(1), 2017; AlexNet in batches of 4, VGG-16 of
 * 3. The paper has the milliseconds of every layer too; they could not be read again and are not quoted.
 */
export const eyeriss = [
  { network: 'alexnet', framesPerSecond: 35 },
  { network: 'vgg-16', framesPerSecond: 0.7 },
] as const;
