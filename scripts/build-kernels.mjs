/**
 * @fileoverview Compiles the AssemblyScript kernels and writes them, base64 encoded, as a TypeScript module:
 * a bundler, a browser and Node then load them the same way, without a file to locate.
 */
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = join(root, 'src/kernels/assembly');
const output = join(root, 'src/kernels/wasm.generated.ts');

/** Modification time in ms, or 0 if there is no such file. */
async function modified(path) {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

async function isUpToDate() {
  const built = await modified(output);
  const inputs = (await readdir(sources)).map((name) => join(sources, name));
  const times = await Promise.all([...inputs, fileURLToPath(import.meta.url)].map(modified));
  return times.every((time) => time < built);
}

/** Runs the compiler, with SIMD or without; returns the module in base64. Throws with its message if it fails. */
async function compile(directory, simd) {
  const wasmFile = join(directory, `kernels-${simd ? 'simd' : 'plain'}.wasm`);
  const { error, stderr } = await asc.main(
    [
      'index.as.ts',
      ...[
        '--baseDir',
        sources,
        '--outFile',
        wasmFile,
        '--runtime',
        'stub',
        simd ? '--enable' : '--disable',
        'simd',
      ],
      ...['--importMemory', '--noExportMemory', '--noAssert', '--optimizeLevel', '3', '--shrinkLevel', '0'],
    ],
    {},
  );
  if (error) throw new Error(`${stderr.toString()}${error.message}`);
  return (await readFile(wasmFile)).toString('base64');
}

async function build() {
  const directory = await mkdtemp(join(tmpdir(), 'kernels-'));
  try {
    const simd = await compile(directory, true);
    const plain = await compile(directory, false);
    // Renamed into place, so that an interrupted build never leaves half a module that looks new.
    const partial = `${output}.${process.pid}.tmp`;
    await writeFile(
      partial,
      `export const simdKernelsBase64 = '${simd}';\nexport const plainKernelsBase64 = '${plain}';\n`,
    );
    await rename(partial, output);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

try {
  if (!(await isUpToDate())) await build();
} catch (error) {
  console.error(`build-kernels: ${error.message}`);
  process.exitCode = 1;
}
