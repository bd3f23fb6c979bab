/** Small synchronous circuits, each for something that a simulator may get wrong. */

export interface Circuit {
  readonly top: string;
  readonly verilog: string;
  /** Yosys passes that leave the memories' read registers outside, or take them in. */
  readonly passes?: string;
}

/** Read registers become part of the memories, with Yosys' idea of what a read during a write returns. */
const mergedReads = 'proc; opt; memory_dff; memory_collect; flatten; opt; opt_clean -purge';

export const circuits: readonly Circuit[] = [
  {
    top: 'counters',
    verilog: `
      module counters(input clk, input rst, input en, input load, input [7:0] d, output reg [7:0] plain,
          output reg [32:0] wide, output reg signed [5:0] down, output reg [3:0] gated = 9);
        always @(posedge clk) if (rst) plain <= 8'd200; else if (en) plain <= load ? d : plain + 1;
        always @(posedge clk) if (rst) wide <= 33'h0_ffff_fff0; else wide <= wide + {25'b0, d};
        always @(posedge clk) if (en) begin if (rst) down <= -3; else down <= down - 1; end
        always @(posedge clk) if (!en) gated <= gated + 4'd3;
      endmodule`,
  },
  {
    top: 'asynchronous',
    verilog: `
      module asynchronous(input clk, input rst, input rst_n, input [3:0] d, output reg [3:0] a, output reg [3:0] b,
          output [3:0] next);
        always @(posedge clk or posedge rst) if (rst) a <= 4'd5; else a <= a + d;
        always @(posedge clk or negedge rst_n) if (!rst_n) b <= 0; else if (d[0]) b <= a;
        assign next = a + b;
      endmodule`,
  },
  {
    // Registers that read each other in circles, some of them under a common enable.
    top: 'rotation',
    verilog: `
      module rotation(input clk, input rst, input en, input swap, output reg [7:0] a, output reg [7:0] b,
          output reg [39:0] ring, output reg [3:0] x, output reg [3:0] y);
        always @(posedge clk) if (rst) begin a <= 1; b <= 2; end else if (swap) begin a <= b; b <= a; end
        always @(posedge clk) if (rst) ring <= 40'h12_3456_789a; else ring <= {ring[36:0], ring[39:37]};
        always @(posedge clk) if (rst) x <= 1; else if (en) x <= y ^ x;
        always @(posedge clk) if (rst) y <= 6; else if (swap) y <= x + y;
      endmodule`,
  },
  {
    top: 'states',
    verilog: `
      module states(input clk, input rst, input go, input stop, input [4:0] n, output reg busy, output reg [7:0] out,
          output [2:0] shown);
        localparam IDLE = 0, LOAD = 1, RUN = 2, WAIT = 3, DONE = 4;
        reg [2:0] state; reg [4:0] left; reg [7:0] total;
        assign shown = state;
        always @(posedge clk)
          if (rst) begin state <= IDLE; busy <= 0; out <= 0; left <= 0; total <= 0; end
          else case (state)
            IDLE: if (go) begin state <= LOAD; busy <= 1; end
            LOAD: begin left <= n; total <= 0; state <= n == 0 ? DONE : RUN; end
            RUN: begin total <= total + left * left; left <= left - 1; if (left == 1) state <= WAIT; end
            WAIT: if (!stop) state <= DONE;
            default: begin out <= total; busy <= 0; state <= IDLE; end
          endcase
      endmodule`,
  },
  {
    top: 'fifo',
    verilog: `
      module fifo(input clk, input rst, input push, input pop, input [19:0] in, output [19:0] out, output full,
          output empty, output reg [2:0] level);
        reg [19:0] words [0:4]; reg [2:0] head, tail;
        assign full = level == 5; assign empty = level == 0; assign out = words[head];
        wire write = push && !full, read = pop && !empty;
        always @(posedge clk) begin
          if (write) words[tail] <= in;
          if (rst) begin head <= 0; tail <= 0; level <= 0; end
          else begin
            if (write) tail <= tail == 4 ? 0 : tail + 1;
            if (read) head <= head == 4 ? 0 : head + 1;
            level <= level + write - read;
          end
        end
      endmodule`,
  },
  {
    top: 'lanes',
    verilog: `
      module lanes(input clk, input rst, input en, input [2:0] lane, input [3:0] byte_lane, input [15:0] d,
          output reg [127:0] bus, output [15:0] picked, output reg [7:0] byte_out, output [127:0] spread);
        always @(posedge clk) if (rst) bus <= 0; else if (en) bus[lane*16 +: 16] <= d;
        always @(posedge clk) byte_out <= bus[byte_lane*8 +: 8];
        assign picked = bus[lane*16 +: 16];
        assign spread = {112'b0, d} << {lane, 4'b0};
      endmodule`,
  },
  {
    top: 'accumulator',
    verilog: `
      module accumulator(input clk, input rst, input en, input clr, input signed [7:0] a, input signed [7:0] b,
          input signed [31:0] bias, input [15:0] multiplier, input [5:0] shift, output reg signed [31:0] acc,
          output signed [47:0] product, output reg signed [7:0] out);
        always @(posedge clk)
          if (rst) acc <= 0; else if (en) acc <= (clr ? bias : acc) + a * b;
        assign product = acc * $signed({1'b0, multiplier});
        wire signed [47:0] half = 48'sd1 <<< (shift - 1);
        wire signed [47:0] rounded = (product + half) >>> shift;
        always @(posedge clk) out <= rounded > 127 ? 127 : rounded < -128 ? -128 : rounded[7:0];
      endmodule`,
  },
  ...memoryCircuits(),
];

function memoryCircuits(): Circuit[] {
  const designs = [
    {
      // Two read ports, byte enables, a read that keeps its value and one that is reset.
      top: 'bytes',
      verilog: `
        module bytes(input clk, input rst, input [3:0] we, input [3:0] wa, input [31:0] wd, input re, input [3:0] ra,
            input [3:0] rb, output reg [31:0] qa, output reg [31:0] qb, output [31:0] now);
          reg [31:0] m [0:15];
          integer i;
          initial for (i = 0; i < 16; i = i + 1) m[i] = 32'h01010101 * i;
          always @(posedge clk) begin
            for (i = 0; i < 4; i = i + 1) if (we[i]) m[wa][8*i +: 8] <= wd[8*i +: 8];
            if (re) qa <= m[ra];
            if (rst) qb <= 32'hdeadbeef; else qb <= m[rb];
          end
          assign now = m[ra];
        endmodule`,
    },
    {
      // Both ports write and read the same words; the second one wins.
      top: 'dual',
      verilog: `
        module dual(input clk, input rst, input wea, input [2:0] aa, input [11:0] da, input web, input [2:0] ab,
            input [11:0] db, output reg [11:0] qa, output reg [11:0] qb);
          reg [11:0] m [0:7];
          integer i;
          initial for (i = 0; i < 8; i = i + 1) m[i] = 0;
          always @(posedge clk) begin
            if (wea) m[aa] <= da;
            if (web) m[ab] <= db;
            qa <= m[aa];
            qb <= m[ab];
          end
        endmodule`,
    },
    {
      // What is being written is read at once: the address is registered, not the data.
      top: 'transparent',
      verilog: `
        module transparent(input clk, input rst, input we, input [2:0] wa, input [69:0] wd, input re, input [2:0] ra,
            output [69:0] q);
          reg [69:0] m [0:5]; reg [2:0] held;
          integer i;
          initial begin held = 0; for (i = 0; i < 6; i = i + 1) m[i] = 70'h3_0000_0001_8000_0001 << i; end
          always @(posedge clk) begin
            if (we && wa < 6) m[wa] <= wd;
            if (re) held <= ra < 6 ? ra : 0;
          end
          assign q = m[held];
        endmodule`,
    },
    {
      // Read, add, write back: memory and read register read each other.
      top: 'histogram',
      verilog: `
        module histogram(input clk, input rst, input en, input [2:0] bin, output reg [8:0] seen);
          reg [8:0] m [0:7]; reg [2:0] last; reg valid;
          integer i;
          initial begin seen = 0; last = 0; valid = 0; for (i = 0; i < 8; i = i + 1) m[i] = 0; end
          always @(posedge clk) begin
            seen <= m[bin]; last <= bin; valid <= en && !rst;
            if (valid) m[last] <= seen + 1;
          end
        endmodule`,
    },
    {
      // More address bits than the memory has words for: what is written beyond it must not come round.
      top: 'beyond',
      verilog: `
        module beyond(input clk, input rst, input we, input [3:0] wa, input [7:0] d, input [2:0] ra, output [7:0] q);
          reg [7:0] m [0:7];
          integer k;
          initial for (k = 0; k < 8; k = k + 1) m[k] = k;
          always @(posedge clk) if (we) m[wa] <= d;
          assign q = m[ra];
        endmodule`,
    },
    {
      // Two memories that give each other their addresses, not all of which there are; one is written twice.
      top: 'crossed',
      verilog: `
        module crossed(input clk, input rst, input more, input [2:0] i, input [2:0] j, input [2:0] d, input [2:0] e,
            output [2:0] p, output [2:0] q);
          reg [2:0] a [0:4]; reg [2:0] b [0:4];
          integer k;
          initial for (k = 0; k < 5; k = k + 1) begin a[k] = k; b[k] = 4 - k; end
          assign p = i < 5 ? b[i] : 0; assign q = j < 5 ? a[j] : 0;
          wire [2:0] at_a = d < 5 ? b[d] : 7; wire [2:0] at_b = e < 5 ? a[e] : 7;
          always @(posedge clk) begin a[at_a] <= i; b[at_b] <= j; if (more) a[p] <= d; end
        endmodule`,
    },
  ];
  return designs.flatMap((circuit) => [circuit, { ...circuit, passes: mergedReads }]);
}
