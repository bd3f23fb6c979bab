import { describe, expect, it } from 'vitest';
import { sdramSchema } from './config.ts';
import { dramEnergy } from './energy.ts';

/** DDR4_8Gb_x16_2400 of DRAMsim3, with one rank-clock of one nanosecond so that volts x milliamperes x clocks are picojoules. */
function ddr4(energy: unknown) {
  return sdramSchema.parse({
    kind: 'sdram',
    name: 'DDR4',
    organisation: {
      ranks: 2,
      bankGroups: 2,
      banksPerGroup: 4,
      rows: 65536,
      columns: 1024,
      deviceWidth: 16,
      busWidth: 64,
      burstLength: 8,
    },
    timing: {
      ...{ tCK: 1, CL: 17, CWL: 12, tRCD: 17, tRP: 17, tRAS: 39, tRRD_S: 7, tRRD_L: 8, tFAW: 36 },
      ...{ tCCD_S: 4, tCCD_L: 6, tWTR_S: 3, tWTR_L: 9, tWR: 18, tRTP: 9, tRFC: 420, tREFI: 9360 },
    },
    energy,
  });
}

const supply = { volts: 1.2, IDD0: 80, IDD2N: 34, IDD3N: 47, IDD4R: 243, IDD4W: 228, IDD5AB: 280 };
/** A run of DRAMsim3 and the energies it printed for it, in V x mA x clocks. */
const run = {
  counted: {
    activates: 1,
    readBursts: 138,
    writeBursts: 453,
    refreshes: 0,
    activeClocks: 3877,
    clocks: 3879,
  },
  printed: {
    activate: 9931.2,
    read: 519321.6,
    write: 1574265.6,
    refresh: 0,
    background: 874651.2 + 326.4 + 633052.8,
  },
};

describe('energy of the memory', () => {
  it('is what DRAMsim3 makes of the same counts and currents', () => {
    const energy = dramEnergy(ddr4({ kind: 'currents', supplies: [supply] }), run.counted)!;
    for (const [part, picojoules] of Object.entries(run.printed)) {
      expect(energy[part as keyof typeof energy], part).toBeCloseTo(picojoules, 4);
    }
  });

  it('adds supplies up', () => {
    const one = dramEnergy(ddr4({ kind: 'currents', supplies: [supply] }), run.counted)!;
    const two = dramEnergy(ddr4({ kind: 'currents', supplies: [supply, supply] }), run.counted)!;
    for (const part of Object.keys(one) as (keyof typeof one)[])
      expect(two[part]).toBeCloseTo(2 * one[part], 4);
  });

  it('is counted by command where that is given', () => {
    const config = ddr4({
      kind: 'commands',
      activate: 100,
      read: 10,
      write: 20,
      refresh: 1000,
      background: 5,
    });
    expect(dramEnergy(config, { ...run.counted, refreshes: 3 })).toEqual({
      activate: 100,
      read: 1380,
      write: 9060,
      refresh: 3000,
      background: 5 * 3879,
    });
  });

  it('is unknown where nothing is given', () => {
    expect(dramEnergy(ddr4(null), run.counted)).toBeNull();
  });
});
