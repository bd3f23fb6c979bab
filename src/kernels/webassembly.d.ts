/**
 * @fileoverview The part of the WebAssembly JavaScript API used here. TypeScript declares it only in its DOM
 * library, which would also let browser globals slip into code that has to run in Node.
 */
declare namespace WebAssembly {
  /** Linear memory; sizes in pages of 64 KiB. */
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
  }

  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }

  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;

  function instantiate(
    bytes: Uint8Array<ArrayBuffer>,
    imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>,
  ): Promise<{ readonly instance: Instance }>;
}
