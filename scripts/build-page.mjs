/**
 * @fileoverview Bundles the report page's script and style and writes them as a TypeScript module, so that the command
 * line holds the whole page wherever it runs from.
 */
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = join(root, 'src/report/page');
const output = join(root, 'src/report/page.generated.ts');
/** What the page shares with the command line. */
const shared = ['tables.ts', 'number-text.ts'].map((name) => join(root, 'src/report', name));

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
  const times = await Promise.all([...inputs, ...shared, fileURLToPath(import.meta.url)].map(modified));
  return times.every((time) => time < built);
}

/** One bundled and minified file; `</` is kept out of it, because it stands inside an HTML element. */
async function bundle(entry) {
  const result = await build({
    entryPoints: [join(sources, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['es2022', 'chrome110', 'firefox115', 'safari16'],
    charset: 'utf8',
    logLevel: 'silent',
  });
  const { text } = result.outputFiles[0];
  if (/<\/(script|style)/i.test(text)) throw new Error(`${entry}: holds the end of an HTML element`);
  return text.trim();
}

try {
  if (!(await isUpToDate())) {
    const script = await bundle('main.ts');
    const style = await bundle('page.css');
    // Renamed into place, so that an interrupted build never leaves half a module that looks new.
    const partial = `${output}.${process.pid}.tmp`;
    await writeFile(
      partial,
      `export const pageScript = ${JSON.stringify(script)};\nexport const pageStyle = ${JSON.stringify(style)};\n`,
    );
    await rename(partial, output);
  }
} catch (error) {
  console.error(`build-page: ${error.message}`);
  process.exitCode = 1;
}
