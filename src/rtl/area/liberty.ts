/** A user's cell library: checked as far as it takes to say clearly that a file is none. */
import { InputError } from '../../core/diagnostics.ts';
import type { CellLibrary } from './synthesise.ts';

/** Bytes of the largest library that is read: an open 130 nm one has 13 million. */
export const maximumLibertyBytes = 64 * 1024 * 1024;

/**
 * @param bytes what the file holds
 * @param file its path, for messages and reports
 * @throws InputError for what is no Liberty file, or one without cells that have an area
 */
export function readLiberty(bytes: Uint8Array, file: string): CellLibrary {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw new InputError('is compressed, expected a plain Liberty file', { file });
  }
  // Comments may hold anything; what matters is ASCII.
  const text = new TextDecoder('utf-8').decode(bytes);
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  if (text.includes('\0') || !/^\s*library\s*\([^()]*\)\s*\{/.test(code)) {
    throw new InputError('is no Liberty file, expected one that begins with "library (name) {"', { file });
  }
  if (!/\bcell\s*\(/.test(code) || !/\barea\s*:/.test(code)) {
    throw new InputError('has no cell with an area, expected a Liberty file of a cell library', { file });
  }
  return { name: file, text };
}
