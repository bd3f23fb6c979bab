/** Runs the command line for the tests, most of the time in this process. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { run } from '../../src/cli/main.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs in this process. Streams are no terminals. */
export async function condensim(...argv: string[]): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const code = await run(argv, {
    stdout: {
      write(text) {
        stdout += text;
      },
    },
    stderr: {
      write(text) {
        stderr += text;
      },
    },
  });
  return { code, stdout, stderr };
}

/** Runs in this process what must succeed without a word on stderr; returns stdout. */
export async function ok(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await condensim(...argv);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

/** Runs in this process what must be refused in one line and write nothing to stdout; returns that line. */
export async function refused(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await condensim(...argv);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.trim().split('\n').length).toBe(1);
  return stderr;
}

/** Runs the real thing; `lines`: close its stdout after so many lines, as `head` does. */
export function condensimProcess(
  argv: readonly string[],
  lines = Number.POSITIVE_INFINITY,
): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), projectFile('src/cli/main.ts'), ...argv],
    {
      // Somewhere else: nothing may depend on the folder it is started from.
      cwd: folder,
      env: { ...process.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.split('\n').length > lines) child.stdout.destroy();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export const example = projectFile('models/example.yaml');
export const edge256 = projectFile('hw-configs/edge-256.yaml');

/** The default machine's text, fit to be changed and written anywhere: its memory file is named by its full path. */
export const edge256Text = readFileSync(edge256, 'utf8').replace(
  /path: (?=dram\/)/,
  `path: ${projectFile('hw-configs/')}`,
);

/** Trained weights and a photograph; not part of the project's own tree. */
export const sharedFile = (path: string) => projectFile(`../shared/${path}`);
export const sharedIsHere = existsSync(sharedFile('models'));

const folder = mkdtempSync(join(tmpdir(), 'condensim-cli-'));

/** A path in this test file's own folder; with content, a file. */
export function scratch(name: string, content?: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  if (content !== undefined) writeFileSync(path, content);
  return path;
}
