/** The request traces that DRAMsim3's golden figures belong to, by their formulas. */

export interface GoldenRequest {
  readonly address: number;
  readonly write: boolean;
  readonly clock: number;
}

const sequence = (length: number, request: (index: number) => Partial<GoldenRequest>): GoldenRequest[] =>
  Array.from({ length }, (_, index) => ({ address: 0, write: false, clock: 0, ...request(index) }));

/** Uniform lines of 64 MiB. */
function randomReads(length: number, seed: number, clocksBetween: number): GoldenRequest[] {
  let state = seed;
  return sequence(length, (index) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return { address: 64 * (state >>> 12), clock: clocksBetween * index };
  });
}

/** Weights and a feature map's rows read, another one's written, 4 to 8 to 4. */
function acceleratorMix(length: number): GoldenRequest[] {
  let weight = 0;
  let read = 0;
  let written = 0;
  return sequence(length, (index) => {
    const part = index % 16;
    if (part < 4) return { address: 64 * weight++ };
    if (part < 12) {
      const line = read++;
      return { address: 0x0400_0000 + Math.floor(line / 32) * 26_624 + (line % 32) * 64 };
    }
    const line = written++;
    return { address: 0x0800_0000 + Math.floor(line / 16) * 13_312 + (line % 16) * 64, write: true };
  });
}

/** Trace by name, of the length DRAMsim3 was given or another. */
export const goldenTraces: Readonly<Record<string, (length?: number) => GoldenRequest[]>> = {
  a_seq_read: (length = 20_000) => sequence(length, (index) => ({ address: 64 * index })),
  c_rw_alternate: (length = 20_000) =>
    sequence(length, (index) => {
      const burst = Math.floor(index / 32);
      const write = burst % 2 === 1;
      const line = Math.floor(burst / 2) * 32 + (index % 32);
      return { address: (write ? 0x1000_0000 : 0) + 64 * line, write };
    }),
  d_random_read: (length = 20_000) => randomReads(length, 12345, 0),
  e_row_conflict: (length = 5_000) => sequence(length, (index) => ({ address: 131_072 * index })),
  f_npu_mix: (length = 20_000) => acceleratorMix(length),
  g_idle_random_read: (length = 2_000) => randomReads(length, 777, 200),
  h_paced_seq_read: (length = 5_000) =>
    sequence(length, (index) => ({ address: 64 * index, clock: 8 * index })),
};

export function traceLine({ address, write, clock }: GoldenRequest): string {
  return `0x${address.toString(16).padStart(8, '0')} ${write ? 'WRITE' : 'READ'} ${clock}\n`;
}
