/** `condensim detect`: runs a detector on the accelerator and decodes its boxes. */
import { type Command, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { decodeDetections } from '../detect/decode.ts';
import { drawDetections } from '../detect/draw.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { readPicture, writePng } from '../import/picture.ts';
import { loadInput, simulate } from '../pipeline.ts';
import { dequantise } from '../quant/input.ts';
import { type DetectionReport, detectionTable } from '../report/detection-table.ts';
import { reportSchemaVersion } from '../report/run-report.ts';
import {
  addCommand,
  addQuantisationOptions,
  dimOption,
  formatOption,
  hardwareOption,
  inputOption,
  type Json,
  jsonOption,
  loadNetworkOption,
  modelOption,
  type NetworkOptions,
  parseFraction,
  type QuantisationOptions,
  quantiseOption,
  seedOption,
  virtualFeatureMapsOption,
  weightsOption,
} from './options.ts';
import type { Output } from './output.ts';

interface DetectOptions extends NetworkOptions, QuantisationOptions {
  readonly hw: string;
  readonly input: string;
  readonly out?: string;
  readonly threshold?: number;
  readonly virtualFeatureMaps: 'on' | 'off';
  readonly json?: Json;
}

export function addDetect(program: Command, output: Output): void {
  addQuantisationOptions(
    addCommand(program, 'detect', 'run a detector on the accelerator and draw its boxes')
      .addOption(modelOption())
      .addOption(dimOption())
      .addOption(inputOption().makeOptionMandatory())
      .addOption(hardwareOption())
      .addOption(weightsOption())
      .addOption(seedOption())
      .option('--out <picture>', 'write the picture with the boxes, as PNG')
      .addOption(new Option('--threshold <score>', 'drop boxes that score less').argParser(parseFraction))
      .addOption(virtualFeatureMapsOption())
      .addOption(formatOption())
      .addOption(jsonOption()),
  ).action(async (options: DetectOptions) => {
    const report = await detect(options, output);
    if (options.out !== undefined) {
      writePng(options.out, drawDetections(readPicture(options.input), report.detections));
    }
    output.report(report, options.json, (style) => detectionTable(report, style));
  });
}

async function detect(options: DetectOptions, output: Output): Promise<DetectionReport> {
  const machine = readMachineFile(options.hw);
  const loaded = loadNetworkOption(options, output);
  const { graph, network } = loaded;
  const { detector } = graph;
  if (detector === undefined) {
    throw new InputError('is no detector, expected a model file with a detector', { file: options.model });
  }
  const { values, placement } = loadInput(graph, options.input);
  if (placement === undefined) {
    throw new InputError('reads no picture, expected a detector of pictures', { file: options.model });
  }
  const quantised = await quantiseOption(loaded, options, machine, [{ values, placement }], output);
  output.note(`${graph.name}: running`);
  const { result, tensors } = await simulate({
    network,
    machine,
    virtualFeatureMaps: options.virtualFeatureMaps === 'on',
    data: { quantised, input: values },
    onProgress: output.runProgress,
  });
  const outputs = graph.outputs.slice(0, detector.masks?.length ?? 1).map((name) => {
    const tensor = quantised.tensors.get(name)!;
    return { values: dequantise(tensors.get(name)!, tensor), shape: tensor.shape };
  });
  return {
    schemaVersion: reportSchemaVersion,
    model: { name: graph.name, weights: loaded.weightSource },
    hardware: { name: machine.name },
    cycles: result.cycles,
    framesPerSecond: (machine.clockMHz * 1e6) / result.cycles,
    detections: decodeDetections(
      { ...detector, scoreThreshold: options.threshold ?? detector.scoreThreshold },
      outputs,
      graph.input.shape,
      placement,
    ),
  };
}
