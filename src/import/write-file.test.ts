import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { messageOf, scratch } from './fixtures.test-helper.ts';
import { AtomicFile, writeFileAtomically } from './write-file.ts';

const filesBeside = (path: string): string[] => readdirSync(dirname(path)).sort();

it('has its name only when it is complete', () => {
  const path = scratch('stream/new/a.txt');
  const file = new AtomicFile(path);
  file.write('one ');
  file.write(new TextEncoder().encode('two'));
  expect(filesBeside(path)).toEqual([`.a.txt.${process.pid}.tmp`]);
  file.commit();
  file.discard();
  expect(filesBeside(path)).toEqual(['a.txt']);
  expect(readFileSync(path, 'utf8')).toBe('one two');
});

it('leaves what was there when it is given up', () => {
  const path = scratch('discard/a.txt', 'before');
  const file = new AtomicFile(path);
  file.write('half');
  file.discard();
  expect(filesBeside(path)).toEqual(['a.txt']);
  expect(readFileSync(path, 'utf8')).toBe('before');
});

it('writes through links', () => {
  const path = scratch('links/a.txt', 'before');
  const link = scratch('links/to-a.txt');
  symlinkSync('a.txt', link);
  writeFileAtomically(link, 'after');
  expect(readFileSync(path, 'utf8')).toBe('after');
  expect(filesBeside(path)).toEqual(['a.txt', 'to-a.txt']);
});

it('writes to what is no file', () => {
  writeFileAtomically('/dev/null', 'gone');
});

it('says in a line what the system refuses, and leaves nothing', () => {
  const path = scratch('refused/file', 'x');
  mkdirSync(scratch('refused/folder'));
  expect(messageOf(() => new AtomicFile(dirname(path)))).toMatch(/is a folder, expected a file to write$/);
  expect(messageOf(() => new AtomicFile(`${path}/below`))).toMatch(
    /cannot be written \(.*\), expected a path/,
  );
  // Something takes the place meanwhile.
  const taken = scratch('refused/taken');
  const file = new AtomicFile(taken);
  file.write('content');
  mkdirSync(taken);
  expect(messageOf(() => file.commit())).toMatch(/taken: cannot be written \(it is a folder\)/);
  expect(filesBeside(path)).toEqual(['file', 'folder', 'taken']);
});
