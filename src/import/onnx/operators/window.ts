/** Kernel, stride and padding of convolutions and poolings, from their attributes. */
import { InputError } from '../../../core/diagnostics.ts';
import { ceilDiv } from '../../../core/integers.ts';
import type { OnnxNode } from '../node.ts';
import { type Edges, noEdges } from '../value.ts';

type Pair = readonly [rows: number, columns: number];

export interface Window {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** Of the node itself and of a Pad in front. */
  readonly padding: Edges;
}

function pairOf(node: OnnxNode, name: string, fallback: Pair | undefined): Pair {
  const values = node.ints(name);
  if (values === undefined || values.length === 0) {
    if (fallback === undefined) throw new InputError(`${name}: missing, expected [rows, columns]`);
    return fallback;
  }
  const [rows, columns, ...more] = values;
  if (rows === undefined || columns === undefined || more.length > 0 || rows < 1 || columns < 1) {
    throw new InputError(`${name}: ${values.join(', ')}, expected two numbers of at least 1 (rows, columns)`);
  }
  return [rows, columns];
}

/**
 * @param input rows and columns of the map
 * @param inFront padding that a Pad in front left to this node
 * @param kernel where the weights say it; else the node has to
 */
export function windowOf(node: OnnxNode, input: Pair, inFront: Edges = noEdges, kernel?: Pair): Window {
  const size = pairOf(node, 'kernel_shape', kernel);
  if (kernel !== undefined && size.join() !== kernel.join()) {
    throw new InputError(`kernel_shape: ${size.join(' x ')}, expected the weights' ${kernel.join(' x ')}`);
  }
  const stride = pairOf(node, 'strides', [1, 1]);
  const dilation = pairOf(node, 'dilations', [1, 1]);
  const own = ownPadding(
    node,
    [inFront.top + input[0] + inFront.bottom, inFront.left + input[1] + inFront.right],
    [0, 1].map((axis) => (size[axis]! - 1) * dilation[axis]! + 1) as unknown as Pair,
    stride,
  );
  return {
    kernel: size,
    stride,
    dilation,
    padding: {
      top: own.top + inFront.top,
      bottom: own.bottom + inFront.bottom,
      left: own.left + inFront.left,
      right: own.right + inFront.right,
    },
  };
}

/** The node's own padding, computed where it asks for outputs of the input's size. */
function ownPadding(node: OnnxNode, input: Pair, extent: Pair, stride: Pair): Edges {
  const automatic = node.string('auto_pad', 'NOTSET');
  switch (automatic) {
    case 'NOTSET':
    case '': {
      const pads = node.ints('pads') ?? [0, 0, 0, 0];
      if (pads.length !== 4 || pads.some((cells) => cells < 0)) {
        throw new InputError(`pads: ${pads.join(', ')}, expected four numbers of at least 0`);
      }
      const [top, left, bottom, right] = pads as [number, number, number, number];
      return { top, left, bottom, right };
    }
    case 'VALID':
      return noEdges;
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const [rows, columns] = ([0, 1] as const).map((axis) => {
        const outputs = ceilDiv(input[axis], stride[axis]);
        const total = Math.max(0, (outputs - 1) * stride[axis] + extent[axis] - input[axis]);
        const less = Math.floor(total / 2);
        return automatic === 'SAME_UPPER' ? [less, total - less] : [total - less, less];
      });
      return { top: rows![0]!, bottom: rows![1]!, left: columns![0]!, right: columns![1]! };
    }
    default:
      throw new InputError(`auto_pad: ${automatic}, expected NOTSET, SAME_UPPER, SAME_LOWER or VALID`);
  }
}
