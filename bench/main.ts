/** @fileoverview Runs a benchmark by name: `npm run bench -- kernels [--json]`. Without a name, lists them. */

const benches: Record<
  string,
  { summary: string; load: () => Promise<{ run(json: boolean): Promise<void> }> }
> = {
  kernels: {
    summary: 'Integer convolutions of the kernels beside ONNX Runtime Web and TensorFlow.js (WebAssembly)',
    load: () => import('./kernels.ts'),
  },
  inference: {
    summary: 'Whole inferences of Tiny-YOLOv2 in the integer core on the host',
    load: () => import('./inference.ts'),
  },
  import: {
    summary: 'An ONNX file of 60 MB: CPU time and peak memory of reading and importing it',
    load: () => import('./import.ts'),
  },
  mapping: {
    summary:
      'What the mapping search reaches on edge-256: utilisation, traffic, conventions, beside the targets',
    load: () => import('./mapping.ts'),
  },
  peers: {
    summary:
      'Our cycles on machines of the size of known ones, beside what was published or measured for those',
    load: () => import('./peers.ts'),
  },
  simulate: {
    summary:
      'Tiny-YOLOv2 simulated, whole processes: CPU time and peak memory, beside other simulators (quoted)',
    load: () => import('./simulate.ts'),
  },
  report: {
    summary: 'The page of a run of 16 M cycles, CPU seconds',
    load: () => import('./report.ts'),
  },
  dram: {
    summary: 'Requests per CPU second through the memory controller, and through condensim dram',
    load: () => import('./dram.ts'),
  },
};

const [name, ...options] = process.argv.slice(2);
const bench = name === undefined ? undefined : benches[name];
if (bench) {
  const { run } = await bench.load();
  await run(options.includes('--json'));
} else {
  if (name !== undefined) console.error(`There is no benchmark called "${name}".`);
  console.log('Benchmarks:');
  for (const [key, { summary }] of Object.entries(benches)) console.log(`  ${key.padEnd(10)}${summary}`);
  if (name !== undefined) process.exitCode = 1;
}
