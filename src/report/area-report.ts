/** The gates and buffers of a machine: names in JSON, and the figures that follow from what synthesis found. */
import { z } from 'zod';
import { sum } from '../core/integers.ts';
import { memoriesOf } from '../hw/buffers/memories.ts';
import { crossChannelBytes, describeCrossChannelPool } from '../hw/cross-channel-pool/config.ts';
import { bufferNames } from '../hw/isa/formats.ts';
import { bufferBytes, type MachineConfig, totalBufferBytes } from '../hw/machine/config.ts';
import { queueBits } from '../hw/machine/verilog.ts';
import { sramAreaSource, sramSquareMicrometres } from '../hw/sram-area.ts';
import { paperClaims } from './comparison.ts';
import { reportSchemaVersion } from './run-report.ts';
import { grouped } from './tables.ts';

const unitSchema = z.strictObject({
  name: z.string().describe('The Verilog module'),
  count: z.int().min(1).describe('Instances in the machine'),
  gatesEach: z.number().min(0).describe('Of one instance, without the modules it instantiates'),
  gates: z.number().min(0).describe('count x gatesEach'),
  flipFlopsEach: z.int().min(0).describe('Flip-flops of one instance'),
  depth: z.int().min(0).describe('Cells on the longest path of one instance between registers or ports'),
});

const variantSchema = z.strictObject({
  config: z
    .strictObject({
      form: z.enum(['running', 'tree']),
      position: z.enum(['after', 'before']),
      depth: z.int(),
      maximumRatio: z.int(),
    })
    .describe('What selects it: postProcessing.crossChannelPool'),
  lanes: z.int().describe('Values that leave the chain in one cycle at most'),
  bits: z.int().describe('Of a value, as its bytes are counted'),
  entries: z.int().describe('Maxima kept; 0 for a tree'),
  bufferBytes: z.int(),
  requantisers: z.int().describe('A row of the array'),
  recordBytes: z.int().describe('Parameter records read in one cycle'),
  extraGates: z.number().describe('Of the whole machine, less the same one with no unit'),
  extraFlipFlops: z.int(),
  extraGateFraction: z.number().describe('Of all gates of the machine with this unit'),
  cycles: z.int().describe('Of the network below, with virtual maps where this unit can keep them'),
  virtualFeatureMaps: z.enum(['none', 'on chip', 'stored']),
});

export const areaReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  hardware: z.strictObject({ name: z.string() }),
  gateUnit: z.string().describe('What all figures called gates are counted in'),
  units: z.array(unitSchema),
  totalGates: z.number(),
  totalFlipFlops: z.int(),
  buffers: z
    .array(
      z.strictObject({
        name: z.string(),
        bits: z.int(),
        inGates: z.boolean().describe('Held in flip-flops that are among the gates; else in memory'),
      }),
    )
    .describe('On-chip storage; no gate of a memory is counted among the units'),
  totalBufferBytes: z.int(),
  sramArea: z
    .strictObject({
      memories: z.array(
        z.strictObject({
          name: z.string(),
          banks: z.int().min(1),
          bankBytes: z.number().min(0),
          ports: z.union([z.literal(1), z.literal(2)]),
          squareMicrometres: z.number().min(0).describe('Of all banks'),
        }),
      ),
      squareMicrometres: z.number().min(0),
    })
    .optional()
    .describe('Memories at 45 nm by a model of capacity and ports; what is held in flip-flops is not in it'),
  sramEstimate: z
    .strictObject({ gatesPerBit: z.number(), gates: z.number() })
    .optional()
    .describe('With --sram-ge-per-bit: all memory bits times it; not in totalGates'),
  ccp: z
    .strictObject({
      extraGates: z.number().describe('This machine less the same one without the unit'),
      extraGateFraction: z.number().describe('Of all gates, the unit included'),
      extraBufferBytes: z.int(),
      extraBufferFraction: z.number().describe('Of all on-chip bytes, the unit included'),
    })
    .describe('What the cross-channel pooling unit costs; zeros for a machine without one'),
  variants: z
    .strictObject({ network: z.string(), units: z.array(variantSchema) })
    .optional()
    .describe('With --variants'),
  paperClaims: z
    .strictObject({ source: z.string(), extraMemoryFraction: z.number(), extraGateFraction: z.number() })
    .describe("The paper's own figures, not measured here"),
  method: z.string(),
  conventions: z.array(z.string()),
});

export type AreaReport = z.output<typeof areaReportSchema>;
type Unit = z.output<typeof unitSchema>;
export type AreaVariants = NonNullable<AreaReport['variants']>;

/** What synthesis found. */
export interface MeasuredArea {
  readonly units: readonly Unit[];
  readonly unitsWithoutCcp: readonly Unit[];
  readonly variants?: AreaVariants | undefined;
}

/** How it was found, and what to add. */
export interface AreaMethod {
  /** What an area of 1 is. */
  readonly gateUnit: string;
  /** The cell library, as the user knows it. */
  readonly library: string;
  /** The synthesiser and its version. */
  readonly synthesiser: string;
  /** The passes that decide the result. */
  readonly passes: string;
  readonly sramGatesPerBit?: number | undefined;
}

export function areaReport(machine: MachineConfig, area: MeasuredArea, how: AreaMethod): AreaReport {
  const { peArray, postProcessing } = machine;
  const totalGates = gatesOf(area.units);
  const registerBytes = crossChannelBytes(postProcessing.crossChannelPool, peArray);
  const memories = bufferNames.map((name) => ({
    name: name as string,
    bits: 8 * bufferBytes(machine, name),
    inGates: false,
  }));
  const memoryBits = sum(memories.map(({ bits }) => bits));
  const bytes = totalBufferBytes(machine);
  return {
    schemaVersion: reportSchemaVersion,
    hardware: { name: machine.name },
    gateUnit: how.gateUnit,
    units: [...area.units],
    totalGates,
    totalFlipFlops: sum(area.units.map(({ count, flipFlopsEach }) => count * flipFlopsEach)),
    buffers: [
      ...memories,
      ...(registerBytes === 0 ? [] : [{ name: 'crossChannel', bits: 8 * registerBytes, inGates: true }]),
    ].filter(({ bits }) => bits > 0),
    totalBufferBytes: bytes,
    sramArea: sramArea(machine),
    ...(how.sramGatesPerBit !== undefined && {
      sramEstimate: { gatesPerBit: how.sramGatesPerBit, gates: memoryBits * how.sramGatesPerBit },
    }),
    ccp: {
      ...ccpGates(area),
      extraBufferBytes: registerBytes,
      extraBufferFraction: registerBytes / bytes,
    },
    ...(area.variants && { variants: area.variants }),
    paperClaims: {
      source: paperClaims.source,
      extraMemoryFraction: paperClaims.extraMemoryFraction,
      extraGateFraction: paperClaims.extraGateFraction,
    },
    method: `${how.synthesiser}: ${how.passes}; cells of ${how.library}; one instance of each module, what it instantiates apart, times its instances`,
    conventions: conventionsOf(machine, how),
  };
}

/** The memories of every buffer that the machine has, and their area at 45 nm. */
export function sramArea(machine: MachineConfig): NonNullable<AreaReport['sramArea']> {
  const memories = bufferNames
    .filter((name) => bufferBytes(machine, name) > 0)
    .map((name) => {
      const { banks, bankBytes, ports } = memoriesOf(machine, name);
      const squareMicrometres = banks * sramSquareMicrometres(bankBytes, ports);
      return { name, banks, bankBytes, ports, squareMicrometres };
    });
  return { memories, squareMicrometres: sum(memories.map((memory) => memory.squareMicrometres)) };
}

/** What the cross-channel pooling unit costs in gates. */
export function ccpGates({ units, unitsWithoutCcp }: MeasuredArea): {
  extraGates: number;
  extraGateFraction: number;
} {
  const total = gatesOf(units);
  const extraGates = total - gatesOf(unitsWithoutCcp);
  return { extraGates, extraGateFraction: extraGates / total };
}

const gatesOf = (units: readonly Unit[]): number => sum(units.map(({ gates }) => gates));

/** What the gates leave out. */
export const uncountedUnits =
  'Not counted: what the command queues store, and the memory controller behind the ports.';

function unitConventions({ peArray, postProcessing }: MachineConfig): string[] {
  const unit = postProcessing.crossChannelPool;
  if (unit === null) return [];
  const lines = [describeCrossChannelPool(unit, peArray)];
  if (unit.form === 'running' && unit.position === 'after') {
    lines.push(
      `The CCP registers have ${peArray.activationBits + 1} bits a value, so that signed and unsigned activations fit; their flip-flops are among the gates, and as buffer they count the bytes of the activations they hold.`,
    );
  }
  return lines;
}

function conventionsOf(machine: MachineConfig, how: AreaMethod): string[] {
  const { peArray, postProcessing } = machine;
  const { lookupTable } = postProcessing.requantise;
  return [
    `Gates are ${how.gateUnit}. Logic alone: no clock tree, no wiring, no test logic, no memory; a commercial flow with a richer library is likely to need fewer.`,
    `${uncountedUnits} The queues are memories of ${grouped(queueBits(machine))} bits together, not among the buffers either. Shares are of the units above.`,
    'Units are synthesised apart and summed: that differs from one synthesis of all by a few per cent, either way.',
    ...(lookupTable === null
      ? []
      : [
          `The table's bits are counted once; ${peArray.rows} lanes that read it in the same cycle need as many copies or ports.`,
        ]),
    sramAreaSource,
    ...unitConventions(machine),
    ...(how.sramGatesPerBit === undefined
      ? []
      : [
          `The memories' gates are an estimate, bits times ${how.sramGatesPerBit}. For comparison: six transistors a bit are 1.5 gates; the fakeram45 1024 x 32 model of OpenROAD has 1.27 with its periphery.`,
        ]),
  ];
}
