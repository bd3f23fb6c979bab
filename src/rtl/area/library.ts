/**
 * The cell library behind the gate counts: static CMOS gates whose area is their transistors over four, so that the area of a
 * netlist is its size in NAND2 equivalents (gate equivalents, GE). It has no timing, names no process and is nobody's.
 *
 * Transistors are those of the textbook circuits: a complementary gate has two for each input; AND, OR and buffers add an
 * inverter; XOR is a NOR2 and an AOI21; the multiplexer has two transmission gates and three inverters with a buffered
 * output; the flip-flop is a master and a slave of transmission gates with a local clock inverter pair. One kind of flip-flop
 * is enough: resets and enables become gates in front of it, as they would be inside of a richer cell.
 */

interface Cell {
  readonly name: string;
  readonly transistors: number;
  readonly inputs: readonly string[];
  /** Of the output Y, in Liberty's notation. */
  readonly function: string;
}

const cells: readonly Cell[] = [
  { name: 'INV', transistors: 2, inputs: ['A'], function: "A'" },
  { name: 'BUF', transistors: 4, inputs: ['A'], function: 'A' },
  { name: 'NAND2', transistors: 4, inputs: ['A', 'B'], function: "(A B)'" },
  { name: 'NAND3', transistors: 6, inputs: ['A', 'B', 'C'], function: "(A B C)'" },
  { name: 'NAND4', transistors: 8, inputs: ['A', 'B', 'C', 'D'], function: "(A B C D)'" },
  { name: 'NOR2', transistors: 4, inputs: ['A', 'B'], function: "(A + B)'" },
  { name: 'NOR3', transistors: 6, inputs: ['A', 'B', 'C'], function: "(A + B + C)'" },
  { name: 'NOR4', transistors: 8, inputs: ['A', 'B', 'C', 'D'], function: "(A + B + C + D)'" },
  { name: 'AND2', transistors: 6, inputs: ['A', 'B'], function: '(A B)' },
  { name: 'OR2', transistors: 6, inputs: ['A', 'B'], function: '(A + B)' },
  { name: 'AOI21', transistors: 6, inputs: ['A', 'B', 'C'], function: "((A B) + C)'" },
  { name: 'OAI21', transistors: 6, inputs: ['A', 'B', 'C'], function: "((A + B) C)'" },
  { name: 'AOI22', transistors: 8, inputs: ['A', 'B', 'C', 'D'], function: "((A B) + (C D))'" },
  { name: 'OAI22', transistors: 8, inputs: ['A', 'B', 'C', 'D'], function: "((A + B) (C + D))'" },
  { name: 'XOR2', transistors: 10, inputs: ['A', 'B'], function: '(A ^ B)' },
  { name: 'XNOR2', transistors: 10, inputs: ['A', 'B'], function: "(A ^ B)'" },
  { name: 'MUX2', transistors: 12, inputs: ['A', 'B', 'S'], function: "((A S') + (B S))" },
];

const flipFlopTransistors = 24;
const transistorsPerGate = 4;

/** The library's name in reports. */
export const gateLibraryName = 'ge.lib';

/** The library as a Liberty file: one statement a line, as Yosys' and ABC's readers both take it. */
export function gateLibrary(): string {
  const area = (transistors: number): string => `    area : ${transistors / transistorsPerGate};`;
  const pin = (name: string, ...lines: string[]): string[] => [
    `    pin(${name}) {`,
    ...lines.map((line) => `      ${line}`),
    '    }',
  ];
  return [
    'library(ge) {',
    ...cells.flatMap((cell) => [
      `  cell(${cell.name}) {`,
      area(cell.transistors),
      ...cell.inputs.flatMap((name) => pin(name, 'direction : input;')),
      ...pin('Y', 'direction : output;', `function : "${cell.function}";`),
      '  }',
    ]),
    '  cell(DFF) {',
    area(flipFlopTransistors),
    '    ff(IQ, IQN) {',
    '      clocked_on : "CK";',
    '      next_state : "D";',
    '    }',
    ...pin('CK', 'direction : input;', 'clock : true;'),
    ...pin('D', 'direction : input;'),
    ...pin('Q', 'direction : output;', 'function : "IQ";'),
    '  }',
    '}',
    '',
  ].join('\n');
}
