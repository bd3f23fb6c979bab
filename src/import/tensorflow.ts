/** TensorFlow.js, the float reference: native where it is installed, else the WebAssembly backend. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Tf } from '../graph/op.ts';

let loaded: Promise<Tf> | undefined;

/**
 * Loads TensorFlow.js once and sets its backend. `note` hears which backend was taken and why, for `--verbose`.
 */
export function loadTensorflow(note: (message: string) => void = () => {}): Promise<Tf> {
  loaded ??= load(note);
  return loaded;
}

async function load(note: (message: string) => void): Promise<Tf> {
  const tf = await import('@tensorflow/tfjs-core');
  try {
    // Not a literal: the package is optional, and its types may be absent where this is compiled.
    const native = '@tensorflow/tfjs-node';
    await import(native);
    if (await tf.setBackend('tensorflow')) {
      note('float reference: @tensorflow/tfjs-node');
      return tf;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    note(`float reference: @tensorflow/tfjs-backend-wasm (tfjs-node does not load: ${reason})`);
  }
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const require = createRequire(import.meta.url);
  wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist/'));
  await tf.setBackend('wasm');
  await tf.ready();
  return tf;
}
