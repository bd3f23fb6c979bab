/** Darknet's layers, a reader each; what they compute is told from Darknet's own sources (forward functions). */
import { InputError } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import type { AnyOp, DetectorHead } from '../../graph/graph.ts';
import { add } from '../../ops/add/add.ts';
import { batchNormalization } from '../../ops/batch-normalization/batch-normalization.ts';
import { clippedRelu } from '../../ops/clipped-relu/clipped-relu.ts';
import { concat } from '../../ops/concat/concat.ts';
import { convolution } from '../../ops/convolution/convolution.ts';
import { fullyConnected } from '../../ops/fully-connected/fully-connected.ts';
import { globalAveragePool } from '../../ops/global-average-pool/global-average-pool.ts';
import { leakyRelu } from '../../ops/leaky-relu/leaky-relu.ts';
import { maxPool } from '../../ops/max-pool/max-pool.ts';
import { relu } from '../../ops/relu/relu.ts';
import { reorg as reorganise } from '../../ops/reorg/reorg.ts';
import { sigmoid } from '../../ops/sigmoid/sigmoid.ts';
import { silu } from '../../ops/silu/silu.ts';
import { softmax } from '../../ops/softmax/softmax.ts';
import { spaceToDepth } from '../../ops/space-to-depth/space-to-depth.ts';
import { tanh } from '../../ops/tanh/tanh.ts';
import { upsampleNearest } from '../../ops/upsample-nearest/upsample-nearest.ts';
import type { Section } from '../sections.ts';
import type { DarknetGraph, LayerReader } from './graph.ts';

/** Every layer may have these; they matter to training. */
const TRAINING = [
  'learning_rate',
  'lr',
  'stopbackward',
  'dontload',
  'dontloadscales',
  'train',
  'burnin_update',
];

/** Added to the variance where Darknet runs on a GPU or is built from its later sources. */
const EPSILON = 1e-5;

type Activation = readonly [op: AnyOp, attributes: Readonly<Record<string, number>>];

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map(
  Object.entries<Activation>({
    leaky: [leakyRelu, { slope: 0.1 }],
    relu: [relu, {}],
    relu6: [clippedRelu, { maximum: 6 }],
    logistic: [sigmoid, {}],
    tanh: [tanh, {}],
    swish: [silu, {}],
  }),
);

/** The activation a section asks for, behind a tensor. */
function activated(section: Section, graph: DarknetGraph, otherwise: string, tensor: string): string {
  const name = section.word('activation', otherwise);
  if (name === 'linear') return tensor;
  const found = ACTIVATIONS.get(name);
  if (found === undefined) {
    throw new InputError(
      `layer ${graph.index} [${section.name}]: activation '${name}' is not read here; supported: linear, ${[...ACTIVATIONS.keys()].join(', ')}`,
      section.positionOf('activation'),
    );
  }
  return graph.emit(`${tensor}/${name}`, found[0], found[1], [tensor]);
}

function refuseSkippedWeights(section: Section): void {
  section.only({ dontload: 0, dontloadscales: 0 });
}

const convolutional: LayerReader = (section, graph) => {
  const input = graph.previous;
  const [channels] = graph.shapeOf(input);
  const filters = section.integer('filters', 1, 1, 65536);
  const size = section.integer('size', 1, 1, 64);
  const stride = section.integer('stride', 1, 1, 64);
  const strides = [
    section.integer('stride_y', stride, 1, 64),
    section.integer('stride_x', stride, 1, 64),
  ] as const;
  const dilation = section.integer('dilation', 1, 1, 64);
  const groups = section.integer('groups', 1, 1, 65536);
  const asked = section.integer('padding', 0, 0, 4095);
  const padding = section.integer('pad', 0, 0, 1) === 1 ? Math.floor(size / 2) : asked;
  if (dilation > 1 && 2 * padding !== size - 1) {
    throw new InputError(
      `dilation: ${dilation} with a padding of ${padding}, expected ${(size - 1) / 2} for a size of ${size}`,
    );
  }
  const normalised = section.integer('batch_normalize', 0, 0, 1) === 1;
  section.only({
    binary: 0,
    xnor: 0,
    flipped: 0,
    antialiasing: 0,
    deform: 0,
    assisted_excitation: 0,
    dot: 0,
  });
  refuseSkippedWeights(section);
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw new InputError(
      `groups: ${groups} does not divide ${channels} channels and ${filters} filters alike`,
    );
  }
  const name = `convolutional${graph.index}`;
  const activation = section.word('activation', 'logistic');
  section.finish(TRAINING);

  // In the file: biases; scales, means and variances with batch normalisation; filters [filter][channel][row][column].
  const bias = graph.take('biases', filters);
  const [scales, means, variances] = normalised
    ? (['scales', 'means', 'variances'] as const).map((what) => graph.take(what, filters))
    : [];
  const groupChannels = channels / groups;
  const taps = size * size;
  const weights = graph.take('filters', product([filters, groupChannels, taps]));
  const depthwise = groups > 1 && groups === channels && groups === filters;
  let tensor = graph.emit(
    name,
    convolution,
    {
      ...(depthwise ? { groups: 'depthwise' } : { filters, ...(groups > 1 ? { groups } : {}) }),
      kernel: size,
      stride: strides[0] === strides[1] ? strides[0] : strides,
      padding: padding * dilation,
      dilation,
      bias: !normalised,
    },
    [input],
    {
      // Ours: [row][column][channel][filter].
      filters: () =>
        graph.values(weights, (i) => {
          const filter = i % filters;
          const channel = Math.floor(i / filters) % groupChannels;
          const tap = Math.floor(i / (filters * groupChannels));
          return (filter * groupChannels + channel) * taps + tap;
        }),
      bias: () => graph.values(bias),
    },
  );
  if (normalised) {
    tensor = graph.emit(`${tensor}/norm`, batchNormalization, { epsilon: EPSILON }, [tensor], {
      gamma: () => graph.values(scales!),
      beta: () => graph.values(bias),
      mean: () => graph.values(means!),
      variance: () => graph.values(variances!),
    });
  }
  return { tensor: activation === 'linear' ? tensor : activated(section, graph, 'logistic', tensor) };
};

const connected: LayerReader = (section, graph) => {
  const input = graph.previous;
  const [channels, rows, columns] = graph.shapeOf(input);
  const cells = rows * columns;
  const units = section.integer('output', 1, 1, 65536);
  const normalised = section.integer('batch_normalize', 0, 0, 1) === 1;
  const activation = section.word('activation', 'logistic');
  refuseSkippedWeights(section);
  section.finish(TRAINING);
  const bias = graph.take('biases', units);
  const weights = graph.take('weights', product([units, channels, cells]));
  const [scales, means, variances] = normalised
    ? (['scales', 'means', 'variances'] as const).map((what) => graph.take(what, units))
    : [];
  let tensor = graph.emit(`connected${graph.index}`, fullyConnected, { units, bias: !normalised }, [input], {
    // In the file [unit][channel][cell], ours [cell][channel][unit].
    weights: () =>
      graph.values(weights, (i) => {
        const unit = i % units;
        const channel = Math.floor(i / units) % channels;
        const cell = Math.floor(i / (units * channels));
        return (unit * channels + channel) * cells + cell;
      }),
    bias: () => graph.values(bias),
  });
  if (normalised) {
    tensor = graph.emit(`${tensor}/norm`, batchNormalization, { epsilon: EPSILON }, [tensor], {
      gamma: () => graph.values(scales!),
      beta: () => graph.values(bias),
      mean: () => graph.values(means!),
      variance: () => graph.values(variances!),
    });
  }
  return { tensor: activation === 'linear' ? tensor : activated(section, graph, 'logistic', tensor) };
};

/**
 * Darknet's maxima: windows start at -floor(padding / 2), padding being size - 1 unless given and counted once for both
 * sides; there are floor((side + padding - size) / stride) + 1 of them, and cells outside do not count. So size 2 with
 * stride 2 rounds up, and with stride 1 keeps the side.
 */
const maxpool: LayerReader = (section, graph) => {
  const input = graph.previous;
  const [, rows, columns] = graph.shapeOf(input);
  const stride = section.integer('stride', 1, 1, 64);
  const strides = [
    section.integer('stride_y', stride, 1, 64),
    section.integer('stride_x', stride, 1, 64),
  ] as const;
  const size = section.integer('size', stride, 1, 64);
  const padding = section.integer('padding', size - 1, 0, 4095);
  section.only({ maxpool_depth: 0, antialiasing: 0 });
  section.finish([...TRAINING, 'out_channels']);
  const front = Math.floor(padding / 2);
  const back = (side: number, step: number) => {
    const last = Math.floor((side + padding - size) / step) * step;
    return Math.max(0, last + size - front - side);
  };
  if (rows + padding < size || columns + padding < size) {
    throw new InputError(
      `size: a window of ${size} does not fit into ${rows} x ${columns} and ${padding} of padding`,
    );
  }
  const tensor = graph.emit(
    `maxpool${graph.index}`,
    maxPool,
    {
      window: size,
      stride: strides[0] === strides[1] ? strides[0] : strides,
      padding: { top: front, left: front, bottom: back(rows, strides[0]), right: back(columns, strides[1]) },
    },
    [input],
  );
  return { tensor };
};

const avgpool: LayerReader = (section, graph) => {
  section.finish(TRAINING);
  return { tensor: graph.emit(`avgpool${graph.index}`, globalAveragePool, {}, [graph.previous]) };
};

const route: LayerReader = (section, graph) => {
  const layers = section.integers('layers');
  if (layers === undefined) throw new InputError("lacks 'layers', expected layers=<numbers>");
  section.only({ groups: 1, group_id: 0 });
  section.finish(TRAINING);
  const inputs = layers.map((number) => graph.layer(section, 'layers', number));
  const [first] = inputs as [string];
  return { tensor: inputs.length === 1 ? first : graph.emit(`route${graph.index}`, concat, {}, inputs) };
};

const shortcut: LayerReader = (section, graph) => {
  const from = section.integers('from');
  if (from === undefined) throw new InputError("lacks 'from', expected from=<a layer's number>");
  section.only({ alpha: 1, beta: 1 });
  if (section.word('weights_type', 'none') !== 'none') {
    throw new InputError('weights_type: expected none', section.positionOf('weights_type'));
  }
  const activation = section.word('activation', 'linear');
  section.finish([...TRAINING, 'weights_normalization']);
  const inputs = [graph.previous, ...from.map((number) => graph.layer(section, 'from', number))];
  const tensor = graph.emit(`shortcut${graph.index}`, add, {}, inputs);
  return { tensor: activation === 'linear' ? tensor : activated(section, graph, 'linear', tensor) };
};

const upsample: LayerReader = (section, graph) => {
  const factor = section.integer('stride', 2, 1, 64);
  section.only({ scale: 1 });
  section.finish(TRAINING);
  return { tensor: graph.emit(`upsample${graph.index}`, upsampleNearest, { factor }, [graph.previous]) };
};

/** [reorg] in the order that networks were trained with: not of the map's own blocks, see the operator. */
const reorg: LayerReader = (section, graph) => {
  const stride = section.integer('stride', 1, 1, 16);
  section.only({ reverse: 0, flatten: 0, extra: 0 });
  section.finish(TRAINING);
  const input = graph.previous;
  return {
    tensor: stride === 1 ? input : graph.emit(`reorg${graph.index}`, reorganise, { stride }, [input]),
  };
};

/** The later [reorg3d] takes blocks of the map itself apart: out[(dy * stride + dx) * channels + c]. */
const reorg3d: LayerReader = (section, graph) => {
  const block = section.integer('stride', 1, 1, 16);
  section.only({ reverse: 0, flatten: 0, extra: 0 });
  section.finish(TRAINING);
  const input = graph.previous;
  return {
    tensor: block === 1 ? input : graph.emit(`reorg${graph.index}`, spaceToDepth, { block }, [input]),
  };
};

/** Darknet scales while it trains; a run passes everything on. */
const dropout: LayerReader = (section, graph) => {
  section.finish([...TRAINING, 'probability', 'dropblock', 'dropblock_size_rel', 'dropblock_size_abs']);
  return { tensor: graph.previous };
};

const cost: LayerReader = (section, graph) => {
  section.finish([...TRAINING, 'type', 'scale', 'ratio', 'noobj', 'thresh']);
  return { tensor: graph.previous };
};

const softmaxLayer: LayerReader = (section, graph) => {
  section.only({ groups: 1, temperature: 1, spatial: 0, noloss: 0 });
  if (section.has('tree')) throw new InputError('tree: is not read here', section.positionOf('tree'));
  section.finish([...TRAINING, 'noloss']);
  const input = graph.previous;
  const [, rows, columns] = graph.shapeOf(input);
  if (rows * columns !== 1) {
    throw new InputError(`is over ${rows} x ${columns} cells together, expected a map of one cell (avgpool)`);
  }
  return { tensor: graph.emit(`softmax${graph.index}`, softmax, {}, [input]) };
};

const activationLayer: LayerReader = (section, graph) => {
  const name = section.word('activation', 'linear');
  section.finish(TRAINING);
  const input = graph.previous;
  return { tensor: name === 'linear' ? input : activated(section, graph, 'linear', input) };
};

/** What heads have for training. */
const HEAD_TRAINING = [
  ...TRAINING,
  ...['absolute', 'bias_match', 'class_scale', 'coord_scale', 'object_scale', 'noobject_scale', 'mask_scale'],
  ...['jitter', 'random', 'rescore', 'thresh', 'max', 'map', 'log', 'sqrt', 'classfix', 'ignore_thresh'],
  ...['truth_thresh', 'iou_thresh', 'iou_loss', 'iou_normalizer', 'cls_normalizer', 'obj_normalizer'],
  ...['iou_thresh_kind', 'nms_kind', 'beta_nms', 'max_delta', 'focal_loss', 'label_smooth_eps', 'resize'],
  ...['show_details', 'counters_per_class', 'objectness_smooth', 'delta_normalizer', 'uc_normalizer'],
];

/** Darknet's usual threshold for showing a box, and for two of them being one. */
const THRESHOLDS = { scoreThreshold: 0.5, overlapThreshold: 0.45 };

function anchorPairs(section: Section, count: number): [number, number][] {
  const numbers = section.numbers('anchors');
  if (numbers === undefined || numbers.length !== 2 * count || numbers.some((side) => side <= 0)) {
    throw new InputError(
      `anchors: expected ${2 * count} numbers above 0, width and height for each of num=${count}, got ${numbers?.length ?? 0}`,
      section.positionOf('anchors'),
    );
  }
  return Array.from({ length: count }, (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!]);
}

function headOn(
  graph: DarknetGraph,
  head: DetectorHead,
  anchors: number,
): { tensor: string; head: DetectorHead } {
  const tensor = graph.previous;
  const wanted = anchors * (5 + head.classes.length);
  const [channels] = graph.shapeOf(tensor);
  if (channels !== wanted) {
    throw new InputError(
      `reads ${channels} channels, expected ${wanted}: ${anchors} anchors of 5 and ${head.classes.length} classes`,
    );
  }
  return { tensor, head };
}

const region: LayerReader = (section, graph) => {
  const count = section.integer('num', 1, 1, 64);
  const classes = section.integer('classes', 20, 1, 10_000);
  section.only({ coords: 4, background: 0 });
  const { softmax: takesSoftmax } = section.switches({ softmax: false });
  if (!takesSoftmax && classes > 1) {
    throw new InputError('softmax: 0 is not read here, expected 1');
  }
  if (section.has('tree')) throw new InputError('tree: is not read here', section.positionOf('tree'));
  const anchors = anchorPairs(section, count);
  section.finish(HEAD_TRAINING);
  // Without softmax a single class has a sigmoid of its own, as yolo has it; its anchors stand in cells still.
  if (!takesSoftmax) {
    const [, rows, columns] = graph.shapeOf(graph.previous);
    const [, high, wide] = graph.shapeOf(graph.inputName);
    const pixels = anchors.map(([w, h]) => [(w * wide) / columns, (h * high) / rows] as const);
    const head = {
      kind: 'yolov3',
      classes: graph.classNames(1),
      anchors: pixels,
      classScores: true,
    } as const;
    return headOn(graph, { ...head, ...THRESHOLDS }, count);
  }
  return headOn(
    graph,
    { kind: 'yolov2', classes: graph.classNames(classes), anchors, classScores: true, ...THRESHOLDS },
    count,
  );
};

const yolo: LayerReader = (section, graph) => {
  const count = section.integer('num', 1, 1, 64);
  const classes = section.integer('classes', 20, 1, 10_000);
  section.only({ scale_x_y: 1, new_coords: 0 });
  const anchors = anchorPairs(section, count);
  const mask = section.integers('mask') ?? anchors.map((_, i) => i);
  if (mask.length > count || mask.some((index) => index < 0 || index >= count)) {
    throw new InputError(`mask: expected anchors from 0 to ${count - 1}`, section.positionOf('mask'));
  }
  section.finish(HEAD_TRAINING);
  return headOn(
    graph,
    {
      kind: 'yolov3',
      classes: graph.classNames(classes),
      anchors,
      masks: [mask],
      classScores: true,
      ...THRESHOLDS,
    },
    mask.length,
  );
};

/** By the names that Darknet has for them. */
export const layerReaders: ReadonlyMap<string, LayerReader> = new Map(
  Object.entries({
    convolutional: convolutional,
    conv: convolutional,
    connected: connected,
    conn: connected,
    maxpool: maxpool,
    max: maxpool,
    avgpool: avgpool,
    avg: avgpool,
    route: route,
    shortcut: shortcut,
    upsample: upsample,
    reorg: reorg,
    reorg3d: reorg3d,
    dropout: dropout,
    activation: activationLayer,
    softmax: softmaxLayer,
    soft: softmaxLayer,
    cost: cost,
    region: region,
    yolo: yolo,
  }),
);

export function supportedLayers(): string[] {
  return [...layerReaders.keys()];
}
