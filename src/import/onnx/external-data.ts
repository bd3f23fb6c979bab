/** Values of tensors that lie in files beside the model. */
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import { pathInside, readRegion } from '../inside.ts';
import { fileSize } from '../read-file.ts';
import type { ExternalData } from './constant.ts';

/**
 * Reads from files in (or below) a folder; a path, or a link, that leads out of it is refused before it is opened.
 */
export function externalDataIn(folder: string): ExternalData {
  return (location, offset, length) => {
    const what = `external data ${quote(location)}`;
    const path = pathInside(folder, location, what, "a file in the model's folder");
    const size = fileSize(path, 'external data of an ONNX model');
    if (offset + length > size) {
      throw new InputError(`${what} has ${size} bytes, expected ${length} from byte ${offset} on`);
    }
    return () => readRegion(path, offset, length);
  };
}

/** Refuses all external data: for models that do not come from a folder. */
export const noExternalData: ExternalData = (location) => {
  throw new InputError(`keeps values in ${quote(location)}, expected a model that holds its values`);
};
