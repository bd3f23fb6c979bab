/** Files of TensorFlow.js among other JSON files: reports of ours end in .json, too. */
import { existsSync, statSync } from 'node:fs';
import { readRegion } from '../inside.ts';

/** As much of a file as is looked at: writers put these keys first, or right behind their own names. */
const HEAD_BYTES = 2 ** 16;

/** Whether there is a file that begins as a layers model or a weight manifest of TensorFlow.js does. */
export function isTfjsFile(path: string): boolean {
  if (!existsSync(path)) return false;
  const stats = statSync(path);
  if (!stats.isFile()) return false;
  const head = new TextDecoder().decode(readRegion(path, 0, Math.min(stats.size, HEAD_BYTES)));
  return (
    /"(modelTopology|weightsManifest)"\s*:/.test(head) || /^\s*\[\s*\{\s*"(paths|weights)"\s*:/.test(head)
  );
}
