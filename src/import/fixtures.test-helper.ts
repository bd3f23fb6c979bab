/** A folder for one test file's files, and the trained models where they are at hand. */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'condensim-import-'));

export function scratch(name: string, content?: Uint8Array | string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

export const modelsFolder = fileURLToPath(new URL('../../models/', import.meta.url));
/** Trained weights; not part of the project's own tree. */
export const sharedFolder = fileURLToPath(new URL('../../../shared/', import.meta.url));
export const sharedIsHere = existsSync(join(sharedFolder, 'models'));

/** Model name to its manifest among the trained weights. */
export const manifests = {
  'tiny-face-detector': 'models/tiny-face-detector/tiny_face_detector_model-weights_manifest.json',
  'separable-tiny-yolov2-face':
    'models/separable-tiny-yolov2-face/tiny_yolov2_separable_conv_model-weights_manifest.json',
} as const;

/** The message of the error that `work` throws. */
export function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Error && error.name === 'InputError') return error.message;
    throw error;
  }
  throw new Error('was not refused');
}
