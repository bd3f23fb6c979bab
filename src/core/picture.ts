/** An RGB picture: three bytes a pixel, rows from the top, no padding. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
