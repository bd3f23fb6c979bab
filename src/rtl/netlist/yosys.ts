/**
 * Yosys in this process: the WebAssembly build that the npm package `@yowasp/yosys` holds.
 *
 * A run sees the files it is given and nothing of this machine's; it is deterministic for one version of the
 * package. The first run in a process takes some tenths of a second more, to compile the WebAssembly.
 */
import { InputError } from '../../core/diagnostics.ts';
import { type Netlist, parseNetlist } from './netlist.ts';

/** Text files by name, without folders. */
export type TextFiles = Readonly<Record<string, string>>;

/** The file that {@link elaborate} has Yosys write; a name that no Verilog file has. */
const netlistFile = 'netlist.json';

/**
 * What makes a word-level netlist of Verilog: every module tidied on its own, while an instantiated module is still
 * there once, then all of it in one.
 *
 * Where Yosys takes liberties, this keeps to the Verilog. Read registers stay outside of the memories (no
 * `memory_dff`), so that a read during a write returns what the Verilog says; addresses keep all their bits (`-memx`),
 * so that a write beyond a memory does not come round. One liberty remains: a register that is neither reset nor
 * initialised may start as anything, and Yosys uses that.
 */
export const elaborationPasses =
  'proc; opt -full; wreduce -memx; memory_collect; flatten; opt; wreduce -memx; opt_clean';

/**
 * Runs a Yosys script on Verilog (or other) files; returns the text files it wrote. Throws an `InputError` with
 * the place and Yosys' own message when Yosys refuses, and one that says what to install when it is not there.
 */
export async function runYosys(script: string, files: TextFiles): Promise<TextFiles> {
  const { runYosys: run, Exit } = await loadYosys();
  const decoder = new TextDecoder();
  let messages = '';
  const collect = (bytes: Uint8Array | null): void => {
    if (bytes !== null) messages += decoder.decode(bytes, { stream: true });
  };
  let tree: Awaited<ReturnType<typeof run>>;
  try {
    tree = await run(['-q', '-p', script], { ...files }, { stdout: collect, stderr: collect });
  } catch (error) {
    if (error instanceof Exit) throw refusal(messages);
    throw error;
  }
  const written: Record<string, string> = {};
  for (const [name, content] of Object.entries(tree ?? {})) {
    if (typeof content === 'string' && files[name] !== content) written[name] = content;
  }
  return written;
}

/** The version of Yosys, as the npm package says it. */
export async function yosysVersion(): Promise<string> {
  return (await loadYosys()).version;
}

/**
 * The word-level netlist of the module `top`, flattened, from Verilog files.
 *
 * @param passes what runs between reading the files and writing the netlist.
 */
export async function elaborate(files: TextFiles, top: string, passes = elaborationPasses): Promise<Netlist> {
  const names = Object.keys(files).join(' ');
  const script = `read_verilog -sv ${names}; hierarchy -check -top ${top}; ${passes}; write_json ${netlistFile}`;
  const netlist = (await runYosys(script, files))[netlistFile];
  if (netlist === undefined) throw new InputError('Yosys wrote no netlist');
  return parseNetlist(netlist);
}

async function loadYosys(): Promise<typeof import('@yowasp/yosys')> {
  try {
    return await import('@yowasp/yosys');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new InputError('Yosys is not installed, expected the npm package @yowasp/yosys 0.55.944');
  }
}

/** What Yosys said when it gave up, with the place if it said one: `file.v:3: ERROR: message`. */
function refusal(messages: string): InputError {
  const match = /^(?:([^\s:]+):(\d+): )?ERROR: (.*)$/m.exec(messages);
  if (match === null) return new InputError(`Yosys gave up: ${messages.trim().split('\n').pop() ?? ''}`);
  const [, file, line, message] = match;
  const position = file === undefined ? undefined : { file, line: Number(line) };
  return new InputError(`Yosys: ${message}`, position);
}
