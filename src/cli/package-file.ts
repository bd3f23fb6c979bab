/** Files that come with the package. */
import { fileURLToPath } from 'node:url';

/** The path of one, whether this runs from `src/` or `dist/`. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
