/** A network as `inspect` shows it: its names in JSON, and its table. */
import { z } from 'zod';
import { product } from '../core/integers.ts';
import { graphRows } from '../graph/print.ts';
import type { LayeredNetwork } from '../quant/layers.ts';
import type { Program } from '../schedule/program.ts';
import { tilingSizes } from '../schedule/tiling.ts';
import { reportSchemaVersion } from './run-report.ts';
import { formatTable, grouped, type Style, wrapText } from './tables.ts';

const count = z.int().min(0);
const shape = z.array(count).describe('[channels, rows, columns]');

export const graphReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  model: z.strictObject({
    name: z.string(),
    description: z.string(),
    macs: count.describe('Multiply-accumulates of one inference, padded taps counted'),
    parameters: count.describe('Weights and biases after folding batch norm'),
  }),
  input: z.strictObject({ name: z.string(), shape }),
  layers: z.array(
    z.strictObject({
      name: z.string(),
      operator: z.string(),
      output: shape,
      macs: count,
      parameters: count.describe('As trained, before batch norm is folded'),
      bytes: z.strictObject({
        output: count.describe('Of the output at 8 bits a value'),
        parameters: count.describe('Of the parameters in float32, as trained'),
      }),
    }),
  ),
  outputs: z.array(z.string()),
  schedule: z
    .strictObject({
      hardware: z.strictObject({ name: z.string() }),
      commands: count,
      steps: z.array(
        z.strictObject({
          name: z.string(),
          operator: z.string(),
          reads: z.string(),
          writes: z.string(),
          bands: count,
          filterTiles: count,
          channelChunks: count,
        }),
      ),
    })
    .optional()
    .describe('How the network runs on a machine; with --hw'),
});

export type GraphReport = z.output<typeof graphReportSchema>;

export function graphReport(
  network: LayeredNetwork,
  scheduled?: { readonly program: Program; readonly machine: string },
): GraphReport {
  const { graph, macs, parameters } = network;
  return {
    schemaVersion: reportSchemaVersion,
    model: { name: graph.name, description: graph.description, macs, parameters },
    input: { name: graph.input.name, shape: [...graph.input.shape] },
    layers: graphRows(graph).map((row) => ({ ...row, output: [...row.output] })),
    outputs: [...graph.outputs],
    ...(scheduled && {
      schedule: {
        hardware: { name: scheduled.machine },
        commands: scheduled.program.commands.length,
        steps: scheduled.program.steps.map(({ step, tiling }) => {
          const { bands, tiles, chunks } = tilingSizes(step, tiling, scheduled.program.values);
          return {
            name: step.name,
            operator: step.operator,
            reads: step.inputs.join(', '),
            writes: step.output,
            bands: bands.length,
            filterTiles: tiles.length,
            channelChunks: chunks.length,
          };
        }),
      },
    }),
  };
}

export function graphTable(report: GraphReport, style: Style): string {
  const { model, input, layers, outputs, schedule } = report;
  const parts = [
    `${style.heading(model.name)}\n`,
    model.description === '' ? '' : wrapText(model.description),
    '\n',
    formatTable(
      [
        { heading: 'Layer', align: 'left', shrinks: true },
        { heading: 'operator', align: 'left', shrinks: true },
        { heading: 'output', align: 'right' },
        { heading: 'MACs', align: 'right' },
        { heading: 'parameters', align: 'right' },
        { heading: 'bytes', align: 'right' },
      ],
      [
        [input.name, 'input', input.shape.join(' x '), '', '', grouped(product(input.shape))],
        ...layers.map((layer) => [
          layer.name,
          layer.operator,
          layer.output.join(' x '),
          grouped(layer.macs),
          grouped(layer.parameters),
          grouped(layer.bytes.output),
        ]),
        ['after folding', '', '', grouped(model.macs), grouped(model.parameters), ''],
      ],
      style,
    ),
    wrapText(`outputs: ${outputs.join(', ')}`, '  '),
    wrapText('bytes: of the output at 8 bits a value; parameters in float32 have 4 each', '  '),
  ];
  if (schedule !== undefined) {
    parts.push(
      `\n${style.heading(`On ${schedule.hardware.name}: ${grouped(schedule.commands)} commands`)}\n`,
      formatTable(
        [
          { heading: 'Step', align: 'left', shrinks: true },
          { heading: 'operator', align: 'left', shrinks: true },
          { heading: 'reads', align: 'left', shrinks: true },
          { heading: 'writes', align: 'left', shrinks: true },
          { heading: 'bands', align: 'right' },
          { heading: 'filter tiles', align: 'right' },
          { heading: 'chunks', align: 'right' },
        ],
        schedule.steps.map((step) => [
          step.name,
          step.operator,
          step.reads,
          step.writes,
          grouped(step.bands),
          grouped(step.filterTiles),
          grouped(step.channelChunks),
        ]),
        style,
      ),
    );
  }
  return parts.join('');
}
