/** Packages that only some files need. */
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/** A CommonJS package, loaded when it is first asked for: what most runs never need should not make all of them slower. */
export function lazyPackage<T>(name: string): () => T {
  let loaded: T | undefined;
  return () => {
    loaded ??= load(name) as T;
    return loaded;
  };
}
