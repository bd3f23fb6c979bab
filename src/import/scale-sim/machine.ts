/** SCALE-Sim configurations as machine files. */
import { readMachine } from '../machine-yaml.ts';
import { parseConfiguration, type ScaleSimConfiguration } from './configuration.ts';

/** SCALE-Sim counts cycles and knows no clock. */
const CLOCK_MHZ = 1000;

/**
 * The machine file that a configuration amounts to; what the configuration does not say is marked.
 * @throws InputError for configurations that no machine can be made of
 */
export function convertConfiguration(text: string, file: string): string {
  const converted = machineText(parseConfiguration(text, file));
  // A file that is written can be read.
  readMachine(converted, `machine file of ${file}`);
  return converted;
}

function machineText(configuration: ScaleSimConfiguration): string {
  const { rows, columns, dataflow, bandwidth } = configuration;
  const mode = bandwidth === undefined ? 'CALC' : `USER, ${bandwidth} words a cycle`;
  const name = configuration.name.replace(/[^A-Za-z0-9_./-]/g, '_').slice(0, 100);
  return `# A SCALE-Sim configuration (${mode}) as a machine. SCALE-Sim counts cycles: the clock is made up. It has no post-processing:
# what stands here is what it takes to run quantised networks.
name: ${JSON.stringify(name)}
description: ${rows} x ${columns} systolic array, ${dataflow}, as SCALE-Sim has it
clockMHz: ${CLOCK_MHZ}
${bandwidth === undefined ? 'memory: ideal-infinite # CALC: the array never waits; sizes of buffers decide about nothing\n' : ''}
peArray:
  rows: ${rows}
  columns: ${columns}
  dataflow: ${dataflow}
  feed: systolic
  foldOverlap: false # every fold loads its stationary operands and pays for its skew
  activationBits: 8
  weightBits: 8
  accumulatorBits: 32
  pipelineDepth: 1

postProcessing:
  requantise: { form: multiplier, multiplierBits: 16, rounding: half-even }
  pipelineDepth: 1
  crossChannelPool: null
  spatialPool: null
${bandwidth === undefined ? '' : memoryText(configuration, bandwidth)}`;
}

function memoryText(configuration: ScaleSimConfiguration, bandwidth: number): string {
  const { rows, columns, kibibytes, outstandingReads, outstandingWrites } = configuration;
  const [features, weights, outputs] = [kibibytes.features, kibibytes.weights, kibibytes.outputs].map(
    (size) => size * 1024,
  ) as [number, number, number];
  return `
buffers: # SCALE-Sim's output buffer holds partial sums and finished maps: half of it each
  feature: { bytes: ${features}, banks: ${Math.max(rows, columns)} } # in SCALE-Sim no reads meet
  weight: { bytes: ${weights} }
  parameter: { bytes: 65536 } # not in SCALE-Sim
  accumulator: { bytes: ${outputs / 2} }
  pool: { bytes: 1 } # there is no pooling
  output: { bytes: ${outputs / 2} }

dma:
  burstBytes: 64
  outstandingReads: ${outstandingReads}
  outstandingWrites: ${outstandingWrites}
  descriptorCycles: 0

sequencer: { queueDepth: 32, startCycles: 0 }

dram: # one channel for all; SCALE-Sim gives each of its three buffers a port of its own
  kind: ideal
  bandwidthMBps: ${bandwidth * CLOCK_MHZ} # ${bandwidth} words of a byte a cycle
  latencyNs: 1 # one cycle
  capacityMiB: 1024
`;
}
