/** An output-stationary systolic array of multiply-accumulators against a matrix product in plain JavaScript. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { compileNetlist } from './compile.ts';
import { elaborate } from './yosys.ts';

const [rows, columns, depth] = [4, 3, 9];

/** @param product how the processing element says its product: signed, or by mistake not. */
function systolicArray(product: string): string {
  return `
module pe(input clk, input rst, input en, input signed [7:0] a_in, input signed [7:0] b_in,
    output reg signed [7:0] a_out, output reg signed [7:0] b_out, output reg signed [31:0] acc);
  always @(posedge clk)
    if (rst) begin a_out <= 0; b_out <= 0; acc <= 0; end
    else if (en) begin a_out <= a_in; b_out <= b_in; acc <= acc + ${product}; end
endmodule
module systolic(input clk, input rst, input en, input [${8 * rows - 1}:0] a, input [${8 * columns - 1}:0] b,
    output [${32 * rows * columns - 1}:0] sums);
  wire signed [7:0] across [0:${rows - 1}][0:${columns}];
  wire signed [7:0] down [0:${rows}][0:${columns - 1}];
  genvar r, c;
  generate
    for (r = 0; r < ${rows}; r = r + 1) begin : row
      assign across[r][0] = a[8*r +: 8];
      for (c = 0; c < ${columns}; c = c + 1) begin : column
        pe pe(.clk(clk), .rst(rst), .en(en), .a_in(across[r][c]), .b_in(down[r][c]), .a_out(across[r][c+1]),
          .b_out(down[r+1][c]), .acc(sums[32*(r*${columns}+c) +: 32]));
      end
    end
    for (c = 0; c < ${columns}; c = c + 1) begin : top
      assign down[0][c] = b[8*c +: 8];
    end
  endgenerate
endmodule
`;
}

type Matrix = readonly (readonly number[])[];

function randomMatrix(next: () => number, height: number, width: number): Matrix {
  return Array.from({ length: height }, () => Array.from({ length: width }, () => (next() << 24) >> 24));
}

function matrixProduct(a: Matrix, b: Matrix): number[] {
  return a.flatMap((row) =>
    b[0]!.map((_, column) => row.reduce((sum, value, index) => sum + value * b[index]![column]!, 0)),
  );
}

/** Feeds both matrices skewed by one cycle a lane, and lets the array stall now and then. */
async function arrayProduct(product: string, a: Matrix, b: Matrix): Promise<number[]> {
  const netlist = await elaborate({ 'systolic.v': systolicArray(product) }, 'systolic');
  const model = compileNetlist(netlist, 'systolic');
  model.set('rst', 1);
  model.clock();
  model.set('rst', 0);
  const packed = (lanes: number[]): bigint =>
    lanes.reduceRight((bits, lane) => (bits << 8n) | BigInt(lane & 255), 0n);
  for (let step = 0; step < depth + rows + columns; step++) {
    model.set('en', 0);
    model.clock(step % 3);
    model.set('en', 1);
    model.set('a', packed(a.map((row, lane) => row[step - lane] ?? 0)));
    model.set('b', packed(Array.from({ length: columns }, (_, lane) => b[step - lane]?.[lane] ?? 0)));
    model.clock();
  }
  return Array.from({ length: rows * columns }, (_, index) => model.output('sums', index)() | 0);
}

describe('a systolic array', () => {
  const next = randomStream(5);
  const [a, b] = [randomMatrix(next, rows, depth), randomMatrix(next, depth, columns)];

  it('multiplies matrices', async () => {
    expect(await arrayProduct('a_in * b_in', a, b)).toEqual(matrixProduct(a, b));
  });

  it('shows a product that lost its sign', async () => {
    // One unsigned operand makes all of the expression unsigned: both factors are continued by zeros.
    const wrong = await arrayProduct("a_in * b_in * 1'b1", a, b);
    expect(wrong).not.toEqual(matrixProduct(a, b));
    const bytes = (matrix: Matrix): Matrix => matrix.map((row) => row.map((value) => value & 255));
    expect(wrong).toEqual(matrixProduct(bytes(a), bytes(b)));
  });
});
