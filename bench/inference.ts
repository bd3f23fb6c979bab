/**
 * @fileoverview Whole inferences of Tiny-YOLOv2 (416, seeded weights) in the integer core on the host, in CPU seconds
 * of this process: loading once, then several runs.
 */
import { fileURLToPath } from 'node:url';
import { readMachineFile } from '../src/import/machine-yaml.ts';
import { loadInput, loadNetwork, numbersOn, quantiseNetwork } from '../src/pipeline.ts';
import { quantiseInput } from '../src/quant/input.ts';
import { KernelExecutor } from '../src/quant/kernel-executor.ts';

const RUNS = 9;

/** Prints a line, or JSON. */
export async function run(json: boolean): Promise<void> {
  const loaded = loadNetwork(fileURLToPath(new URL('../models/tiny-yolov2.yaml', import.meta.url)));
  const machine = readMachineFile(fileURLToPath(new URL('../hw-configs/edge-256.yaml', import.meta.url)));
  const picture = loadInput(loaded.graph, undefined);
  const quantised = await quantiseNetwork(loaded, [picture], { numbers: numbersOn(machine) });
  const input = quantiseInput(picture.values, quantised.tensors.get(loaded.graph.input.name)!);

  let executor: KernelExecutor | undefined;
  const load = await cpuSeconds(async () => {
    executor = await KernelExecutor.load(quantised);
  });
  const runs: number[] = [];
  for (let i = 0; i < RUNS; i++) runs.push(await cpuSeconds(() => executor!.run(input)));
  const sorted = [...runs].sort((a, b) => a - b);
  const result = { loadSeconds: load, firstSeconds: runs[0]!, medianSeconds: sorted[RUNS >> 1]! };
  if (json) {
    console.log(JSON.stringify(result, undefined, 2));
  } else {
    console.log('Tiny-YOLOv2 416, int8, CPU seconds: load, first inference, median of 9 inferences');
    console.log(
      Object.values(result)
        .map((seconds) => seconds.toFixed(3))
        .join('  '),
    );
  }
}

async function cpuSeconds(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
