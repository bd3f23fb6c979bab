/**
 * @fileoverview Bundles the command line over what `tsc` wrote to `dist/cli/main.js`: Node takes longer to find and load some
 * hundred small modules than to simulate most layers. Packages stay where they are; each command is a part of its own, loaded
 * when it is asked for. Without this step the command line works as well, only slower.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
// Parts lie beside main.js: files that come with the package are found from there.
const output = join(root, 'dist/cli');

try {
  for (const name of await readdir(output)) {
    if (/^part-\w+\.js(\.map)?$/.test(name)) await rm(join(output, name));
  }
  await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    outdir: output,
    bundle: true,
    splitting: true,
    chunkNames: 'part-[hash]',
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    minifySyntax: true,
    minifyWhitespace: true,
    charset: 'utf8',
    logLevel: 'silent',
  });
} catch (error) {
  console.error(`build-cli: ${error.message}`);
  process.exitCode = 1;
}
