/** The architecture as a test: who may import whom, what runs in a browser, what nobody may know by name. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { operators } from '../../src/ops/index.ts';

/** Folders that a folder's files may import from, besides itself. Single files of `src/` stand under their name. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  config: ['core'],
  graph: ['core'],
  ops: ['core', 'graph'],
  kernels: ['core'],
  quant: ['core', 'graph', 'ops', 'kernels'],
  sim: ['core'],
  hw: ['sim', 'config', 'core', 'kernels'],
  rtl: ['core', 'hw', 'sim', 'kernels'],
  schedule: ['core', 'graph', 'ops', 'hw', 'quant', 'sim', 'kernels'],
  report: ['core', 'graph', 'hw', 'quant', 'schedule', 'sim', 'ops'],
  detect: ['core', 'graph'],
  import: ['config', 'core', 'graph', 'ops', 'hw'],
  export: ['core', 'graph', 'ops', 'quant', 'import'],
};
const tops = [
  'pipeline.ts',
  'validation.ts',
  'memory-study.ts',
  'convention-study.ts',
  'layer-cosim.ts',
  'index.ts',
];
const everywhere = [...Object.keys(allowed), ...tops];
for (const top of tops) allowed[top] = everywhere;
allowed.cli = everywhere;

/** Folders that must run in a browser as well. */
const portable = [
  'core',
  'graph',
  'ops',
  'quant',
  'sim',
  'hw',
  'schedule',
  'report',
  'detect',
  'kernels',
  'config',
];

interface Source {
  /** Below `src/`. */
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** The text without comments. */
  readonly code: string;
  readonly imports: readonly string[];
}

function readSources(): Source[] {
  return (readdirSync('src', { recursive: true }) as string[])
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !/\.(test|test-helper|generated|as)\.ts$/.test(path))
    .sort()
    .map((path) => {
      const text = readFileSync(`src/${path}`, 'utf8');
      const code = withoutComments(text);
      return { path, folder: path.split('/')[0]!, text, code, imports: importsOf(code) };
    });
}

/** Blanks comments, leaves strings and the number of lines as they are. */
function withoutComments(text: string): string {
  const pattern = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(pattern, (found) => (found.startsWith('/') ? found.replace(/[^\n]/g, '') : found));
}

function importsOf(code: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)'([^']+)'/g;
  return [...code.matchAll(pattern)].map((match) => match[1]!);
}

const sources = readSources();
const byPath = new Map(sources.map((source) => [source.path, source]));

/** Files of ours that a file imports, below `src/`. */
function ownImports(source: Source): string[] {
  return source.imports
    .filter((name) => name.startsWith('.'))
    .map((name) => posix.normalize(posix.join(posix.dirname(source.path), name)));
}

/** Those that are left when types are erased. */
function runTimeImports(source: Source): string[] {
  const code = source.code.replace(/\b(?:import|export)\s+type\b[^;]*;/g, '');
  return ownImports({ ...source, imports: importsOf(code) });
}

/** Lines of code that match, as "path:line: text". */
function matches(from: readonly Source[], pattern: RegExp): string[] {
  return from.flatMap(({ path, code }) =>
    code
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

describe('imports', () => {
  it('finds the sources and reads their imports', () => {
    expect(sources.length).toBeGreaterThan(70);
    expect(ownImports(byPath.get('hw/dram/ideal.ts')!)).toEqual([
      'core/integers.ts',
      'sim/engine.ts',
      'sim/trace.ts',
      'hw/dram/config.ts',
      'hw/dram/port.ts',
    ]);
    expect(importsOf(withoutComments("// from './a.ts'\nconst x = await import('./b.ts');"))).toEqual([
      './b.ts',
    ]);
  });

  it('go only where they are allowed to', () => {
    const wrong: string[] = [];
    for (const source of sources) {
      const folders = allowed[source.folder];
      if (folders === undefined) {
        wrong.push(`${source.path}: a folder that the house rules do not know`);
        continue;
      }
      for (const target of ownImports(source)) {
        if (target.endsWith('.generated.ts')) continue;
        const folder = target.split('/')[0]!;
        if (!byPath.has(target)) wrong.push(`${source.path} imports ${target}, which is no source file`);
        else if (folder !== source.folder && !folders.includes(folder)) {
          wrong.push(`${source.path} imports ${target}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('keep the plain executor apart from the kernels that are compared with it', () => {
    const reached = new Set<string>();
    const visit = (path: string): void => {
      const source = byPath.get(path);
      if (source === undefined || reached.has(path)) return;
      reached.add(path);
      for (const target of runTimeImports(source)) visit(target);
    };
    for (const path of ['core/fixed-point.ts', 'ops/index.ts', 'quant/integer-executor.ts']) visit(path);
    expect(reached.size).toBeGreaterThan(20);
    expect([...reached].filter((path) => path.startsWith('kernels/'))).toEqual([]);
  });

  it('make no cycle between files', () => {
    // A node names its operator and an operator's rules take shapes: types alone, nothing is left of it at run time.
    expect(cyclesBetween(ownImports)).toEqual(['graph/graph.ts -> graph/op.ts -> graph/graph.ts']);
    expect(cyclesBetween(runTimeImports)).toEqual([]);
  });
});

function cyclesBetween(importsOfSource: (source: Source) => readonly string[]): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    state.set(path, 'open');
    const source = byPath.get(path);
    for (const target of source === undefined ? [] : importsOfSource(source)) visit(target, [...trail, path]);
    state.set(path, 'done');
  };
  for (const { path } of sources) visit(path, []);
  return cycles;
}

describe('portability and determinism', () => {
  const inBrowser = sources.filter(({ folder }) => portable.includes(folder));

  it('nothing of Node in what a browser can run', () => {
    expect(
      inBrowser.flatMap(({ path, imports }) =>
        imports.filter((name) => name.startsWith('node:')).map((name) => `${path}: ${name}`),
      ),
    ).toEqual([]);
    expect(matches(inBrowser, /\b(?:Buffer|__dirname|__filename)\b|\brequire\s*\(|\bprocess\s*[.[]/)).toEqual(
      [],
    );
  });

  it('no clock and no chance outside the command line', () => {
    const pattern = /\bMath\.random\b|\bDate\.now\b|\bnew Date\b|\bperformance\b/;
    expect(
      matches(
        sources.filter(({ folder }) => folder !== 'cli'),
        pattern,
      ),
    ).toEqual([]);
  });
});

describe('operators and units', () => {
  it('nobody outside src/ops knows an operator by name', () => {
    const names = operators.map((operator) => operator.name).join('|');
    const pattern = new RegExp(`['"\`](?:${names})['"\`]`);
    const elsewhere = sources.filter(({ folder }) => folder !== 'ops');
    expect(matches(elsewhere, pattern)).toEqual([]);
  });

  it('every folder of src/ops is listed once in its index', () => {
    const index = byPath.get('ops/index.ts')!;
    const folders = readdirSync('src/ops', { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
      .map((entry) => entry.name);
    const listed = ownImports(index).filter((path) => path.startsWith('ops/'));
    expect(listed.sort()).toEqual(folders.map((name) => `ops/${name}/${name}.ts`).sort());
    expect(operators.length).toBe(folders.length);
    expect(new Set(operators.map(({ name }) => name)).size).toBe(operators.length);
  });

  it('every unit folder is part of the machine', () => {
    const machine = ['hw/machine/config.ts', 'hw/machine/machine.ts'].flatMap((path) =>
      ownImports(byPath.get(path)!),
    );
    const folders = readdirSync('src/hw', { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'machine')
      .map((entry) => entry.name);
    expect(folders.length).toBeGreaterThan(8);
    const missing = folders.filter((name) => !machine.some((path) => path.startsWith(`hw/${name}/`)));
    expect(missing).toEqual([]);
  });
});

describe('the repository', () => {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  })
    .split('\0')
    .filter((path) => path !== '' && existsSync(path));

  it('holds no unfinished business and no paths of somebody’s machine', () => {
    // Put together here, so that this file does not hold them.
    const words = ['TO' + 'DO', 'FIX' + 'ME', '/wo' + 'rk/', '/ro' + 'ot/', '/ho' + 'me/'];
    const wrong: string[] = [];
    for (const path of files) {
      const bytes = readFileSync(path);
      if (bytes.includes(0)) continue;
      bytes
        .toString('utf8')
        .split('\n')
        .forEach((line, index) => {
          for (const word of words) {
            if (line.includes(word)) wrong.push(`${path}:${index + 1}: ${word}`);
          }
        });
    }
    expect(files.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });

  it('locks its packages without naming a registry', () => {
    const lock = readFileSync('package-lock.json', 'utf8');
    expect(lock).not.toContain('"resolved"');
  });
});
