/** Darknet networks through the commands. */
import { describe, expect, it } from 'vitest';
import { seededPicture } from '../../src/detect/picture.ts';
import { writePng } from '../../src/import/picture.ts';
import type { DetectionReport } from '../../src/report/detection-table.ts';
import type { RunReport } from '../../src/report/run-report.ts';
import { edge256, ok, refused, scratch } from './command-line.ts';
import { darknetWeights } from './networks.test-helper.ts';

const machine = ['--hw', edge256];

const conv = (filters: number, size = 3) =>
  `[convolutional]\nbatch_normalize=1\nfilters=${filters}\nsize=${size}\nstride=1\npad=1\nactivation=leaky\n`;
const pool = (stride: number) => `[maxpool]\nsize=2\nstride=${stride}\n`;

/** Tiny-YOLOv2 for the 20 classes of VOC. */
const tinyYolo = `[net]
batch=1
subdivisions=1
width=416
height=416
channels=3
momentum=0.9
decay=0.0005

${[16, 32, 64, 128, 256].map((filters) => conv(filters) + pool(2)).join('\n')}
${conv(512)}${pool(1)}
${conv(1024)}${conv(1024)}
[convolutional]
size=1
stride=1
pad=1
filters=125
activation=linear

[region]
anchors = 1.08,1.19,  3.42,4.41,  6.63,11.38,  9.42,5.11,  16.62,10.52
bias_match=1
classes=20
coords=4
num=5
softmax=1
jitter=.2
rescore=1
object_scale=5
noobject_scale=1
class_scale=1
coord_scale=1
absolute=1
thresh = .6
random=1
`;

/** YOLOv2 for the 80 classes of COCO, with its passthrough. */
const yolo = `[net]
width=416
height=416

${conv(32)}${pool(2)}${conv(64)}${pool(2)}
${conv(128)}${conv(64, 1)}${conv(128)}${pool(2)}
${conv(256)}${conv(128, 1)}${conv(256)}${pool(2)}
${conv(512)}${conv(256, 1)}${conv(512)}${conv(256, 1)}${conv(512)}${pool(2)}
${conv(1024)}${conv(512, 1)}${conv(1024)}${conv(512, 1)}${conv(1024)}
${conv(1024)}${conv(1024)}
[route]
layers=-9
${conv(64, 1)}
[reorg]
stride=2
[route]
layers=-1,-4
${conv(1024)}
[convolutional]
size=1
stride=1
pad=1
filters=425
activation=linear
[region]
anchors = 0.57273, 0.677385, 1.87446, 2.06253, 3.33843, 5.47434, 7.88282, 3.52778, 9.77052, 9.16828
classes=80
coords=4
num=5
softmax=1
`;

/** To a 32nd of the sides. */
const shrunk = '[maxpool]\nsize=2\nstride=2\n'.repeat(5);

const picture = scratch('picture.png');
writePng(picture, seededPicture(64, 64, 1));

/** Biases alone decide: every cell says the same. Two anchors, two classes. */
function biasesOf(objectness: readonly number[], classes: readonly (readonly number[])[]): number[] {
  return objectness.flatMap((value, anchor) => [0, 0, 0, 0, value, ...classes[anchor]!]);
}

describe('Darknet networks', () => {
  it('reads Tiny-YOLOv2 for VOC', async () => {
    const cfg = scratch('tiny-yolov2-voc.cfg', tinyYolo);
    const report = JSON.parse(await ok('inspect', cfg, '--json')) as {
      layers: { output: number[]; macs: number; parameters: number }[];
    };
    const total = (key: 'macs' | 'parameters') => report.layers.reduce((sum, node) => sum + node[key], 0);
    expect(report.layers.at(-1)!.output).toEqual([125, 13, 13]);
    // models/tiny-yolov2.yaml has 25 outputs, 100 filters of 1024 values on 13 x 13 cells less.
    expect(total('macs')).toBe(3_468_215_296 + 100 * 1024 * 169);
    // With the header 63,471,560 bytes.
    expect(4 * total('parameters') + 20).toBe(63_471_560);
    const run = JSON.parse(
      await ok('simulate', '--model', cfg, ...machine, '--mode', 'timing', '--json'),
    ) as RunReport;
    expect(run.totals.cycles).toBeGreaterThan(total('macs') / 256);
  });

  it('reads YOLOv2 for COCO, whose weights are 203,934,260 bytes', async () => {
    const report = JSON.parse(await ok('inspect', scratch('yolov2.cfg', yolo), '--json')) as {
      layers: { name: string; output: number[]; parameters: number }[];
    };
    // With a header of 16 bytes, as all of the first version have.
    expect(16 + 4 * report.layers.reduce((sum, node) => sum + node.parameters, 0)).toBe(203_934_260);
    expect(report.layers.find(({ name }) => name === 'reorg27')!.output).toEqual([256, 13, 13]);
    expect(report.layers.at(-1)!.output).toEqual([425, 13, 13]);
  });

  it('detects with region, softmax over the classes', async () => {
    const cfg = scratch(
      'region.cfg',
      `[net]\nwidth=64\nheight=64\n${shrunk}[convolutional]\nfilters=14\nactivation=linear\n[region]\nanchors=1,1, .5,.25\nnum=2\nclasses=2\nsoftmax=1\n`,
    );
    scratch('region.names', 'cat\ndog\n');
    const biases = biasesOf(
      [-8, 6],
      [
        [0, 0],
        [0, 5],
      ],
    );
    scratch('region.weights', darknetWeights([...biases, ...new Array<number>(14 * 3).fill(0)]));
    const { detections } = JSON.parse(
      await ok('detect', '--model', cfg, ...machine, '--input', picture, '--json'),
    ) as DetectionReport;
    expect(detections.length).toBe(4);
    const [first] = detections;
    expect(first!.class).toBe('dog');
    expect(first!.width).toBeCloseTo(16, 0);
    expect(first!.height).toBeCloseTo(8, 0);
    expect(first!.score).toBeGreaterThan(0.95);
  });

  it('detects with several yolo heads', async () => {
    const head = (mask: string) =>
      `[convolutional]\nfilters=14\nactivation=linear\n[yolo]\nmask=${mask}\nanchors=8,8, 4,6, 32,32, 20,48\nnum=4\nclasses=2\n`;
    const cfg = scratch(
      'yolo.cfg',
      `[net]\nwidth=64\nheight=64\n${shrunk}[maxpool]\nsize=2\nstride=2\n${head('2,3')}[route]\nlayers=4\n${head('0,1')}`,
    );
    const none = new Array<number>(14 * 3).fill(0);
    const coarse = biasesOf(
      [-8, 6],
      [
        [0, 0],
        [5, 4],
      ],
    );
    const fine = biasesOf(
      [5, -8],
      [
        [-8, 5],
        [0, 0],
      ],
    );
    const file = scratch('other.weights', darknetWeights([...coarse, ...none, ...fine, ...none]));
    const { model, detections } = JSON.parse(
      await ok('detect', '--model', cfg, '--weights', file, ...machine, '--input', picture, '--json'),
    ) as DetectionReport;
    expect(model.weights).toBe(file);
    const boxes = detections.map((box) =>
      [box.class, Math.round(box.width), Math.round(box.height)].join(' '),
    );
    expect(boxes.sort()).toEqual([
      'class0 20 48',
      'class1 20 48',
      ...new Array<string>(4).fill('class1 8 8'),
    ]);
  });

  it.each<[string, string, RegExp]>([
    [
      'a misspelt key',
      '[convolutional]\nfilter=8\n',
      /:5:1: unknown key 'filter' .*did you mean 'filters'\?/,
    ],
    [
      'a misspelt key of the net',
      'heihgt=8\n',
      /:4:1: unknown key 'heihgt' in \[net\]; did you mean 'height'\?/,
    ],
    [
      'a value that is no number',
      '[convolutional]\nfilters= 8x\n',
      /:5:10: filters: expected an integer .* got '8x'/,
    ],
    [
      'a huge value',
      '[convolutional]\nfilters=999999999\n',
      /:5:9: filters: expected an integer from 1 to 65536/,
    ],
    ['a negative one', '[convolutional]\nsize=-3\n', /:5:6: size: expected an integer from 1 to 64/],
    [
      'an activation',
      '[convolutional]\nactivation=mish\n',
      /:5:12: layer 0 \[convolutional\]: activation 'mish' is not read here; supported: linear, leaky/,
    ],
    [
      'an unknown layer',
      '[crnn]\noutput=2\n',
      /:4:1: layer 0 \[crnn\]: is not read here; supported: convolutional/,
    ],
    [
      'a reorg of sides that its stride does not divide',
      '[reorg]\nstride=3\n',
      /:4:1: layer 0 \[reorg\]: stride: 3 does not divide \d+ rows and \d+ columns, and its square 3 channels/,
    ],
    [
      'a layer that is not there yet',
      '[route]\nlayers=4\n',
      /:5:8: layers: 4 is layer 4, expected one of the 0 layers/,
    ],
    ['half a line', '[maxpool]\nsize\n', /:5:1: 'size' is neither \[section\] nor key=value/],
    ['a key twice', '[maxpool]\nsize=2\nsize=2\n', /:6:1: key 'size' is here twice/],
    [
      'a head that does not fit',
      '[region]\nanchors=1,1\nsoftmax=1\n',
      /:4:1: layer 0 \[region\]: reads 3 channels, expected 25/,
    ],
    ['nothing', '', /the network: has no layers/],
  ])('refuses %s', async (_what, text, message) => {
    const cfg = scratch('wrong.cfg', `[net]\nwidth=8\nheight=8\n${text}`);
    expect(await refused('inspect', cfg)).toMatch(message);
  });

  it('says how many bytes of weights it expects', async () => {
    const cfg = scratch(
      'bytes.cfg',
      '[net]\nwidth=8\nheight=8\n[convolutional]\nfilters=2\nactivation=relu\n',
    );
    for (const count of [7, 9]) {
      const file = scratch('bytes.weights', darknetWeights(new Array<number>(count).fill(1)));
      expect(await refused('simulate', '--model', cfg, ...machine)).toBe(
        `${file}: holds ${20 + 4 * count} bytes, expected 52: a header of 20 and 8 values of 4 bytes, as the .cfg needs them\n`,
      );
    }
    const nan = scratch('bytes.weights', darknetWeights([1, Number.NaN, 1, 1, 1, 1, 1, 1]));
    expect(await refused('simulate', '--model', cfg, ...machine)).toBe(
      `${nan}: layer 0: biases hold NaN, expected finite numbers\n`,
    );
  });
});
