/**
 * @fileoverview Bundles the command line over what `tsc` wrote to `dist/cli/main.js`: Node takes longer to find and load some
 * hundred small modules than to simulate most layers. Each command is a part of its own, loaded when it is asked for. Of the packages
 * those that every command loads are bundled too, with their licences beside them. Without this step the command line works as
 * well, only slower.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
// Parts lie beside main.js: files that come with the package are found from there.
const output = join(root, 'dist/cli');
const bundled = ['yaml', 'zod'];

/** The licences of the packages whose text is in the bundle. */
async function licences(inputs) {
  const names = new Set(
    Object.keys(inputs).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  const texts = [...names].sort().map(async (name) => {
    const folder = join(root, 'node_modules', name);
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${await readFile(join(folder, 'LICENSE'), 'utf8')}`;
  });
  return (await Promise.all(texts)).join('\n\n');
}

try {
  for (const name of await readdir(output)) {
    if (/^part-\w+\.js(\.map)?$/.test(name)) await rm(join(output, name));
  }
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const packages = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  const { metafile } = await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    outdir: output,
    bundle: true,
    splitting: true,
    chunkNames: 'part-[hash]',
    external: packages.filter((name) => !bundled.includes(name)).flatMap((name) => [name, `${name}/*`]),
    // Its build for Node is CommonJS, of which nothing can be left out.
    alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    minifySyntax: true,
    minifyWhitespace: true,
    charset: 'utf8',
    logLevel: 'silent',
    metafile: true,
  });
  await writeFile(join(output, 'LICENCES-of-bundled-packages.txt'), await licences(metafile.inputs));
} catch (error) {
  console.error(`build-cli: ${error.message}`);
  process.exitCode = 1;
}
