/**
 * What the memory's commands and its mere presence cost, in picojoules.
 *
 * From supply currents the terms are the usual ones of data-sheet power calculation (Micron TN-40-07, as DRAMsim3 counts
 * them): an activate-precharge pair beyond standby over tRC, a burst or a refresh beyond active standby, and standby by
 * whether a rank has a row open. I/O and termination are not counted.
 */
import { clockPeriod, geometryOf, type SdramConfig } from './config.ts';
import type { SdramStatistics } from './port.ts';

/** Picojoules by what they were spent on. */
export interface DramEnergy {
  activate: number;
  read: number;
  write: number;
  refresh: number;
  background: number;
}

/** Energy of a stretch of cycles; null where the memory's config has no figures for it. */
export function dramEnergy(
  config: SdramConfig,
  counted: Pick<
    SdramStatistics,
    'activates' | 'readBursts' | 'writeBursts' | 'refreshes' | 'activeClocks' | 'clocks'
  >,
): DramEnergy | null {
  const { energy, timing, organisation } = config;
  if (energy === null) return null;
  const [numerator, denominator] = clockPeriod(timing);
  const nanoseconds = numerator / denominator;
  const { activates, readBursts, writeBursts, refreshes, activeClocks, clocks } = counted;
  if (energy.kind === 'commands') {
    return {
      activate: activates * energy.activate,
      read: readBursts * energy.read,
      write: writeBursts * energy.write,
      refresh: refreshes * energy.refresh,
      // Milliwatts times nanoseconds are picojoules.
      background: energy.background * clocks * nanoseconds * organisation.channels,
    };
  }
  const { ranks, devicesPerRank, burstClocks } = geometryOf(config);
  const { tRAS, tRP, tRFC } = timing;
  const tRC = timing.tRC ?? tRAS + tRP;
  const idleClocks = clocks * ranks * organisation.channels - activeClocks;
  const total: DramEnergy = { activate: 0, read: 0, write: 0, refresh: 0, background: 0 };
  for (const { volts, IDD0, IDD2N, IDD3N, IDD4R, IDD4W, IDD5AB } of energy.supplies) {
    // Volts times milliamperes times nanoseconds are picojoules.
    const perClock = volts * nanoseconds * devicesPerRank;
    total.activate += activates * perClock * (IDD0 * tRC - IDD3N * tRAS - IDD2N * (tRC - tRAS));
    total.read += readBursts * perClock * burstClocks * (IDD4R - IDD3N);
    total.write += writeBursts * perClock * burstClocks * (IDD4W - IDD3N);
    total.refresh += refreshes * perClock * tRFC * (IDD5AB - IDD3N);
    total.background += perClock * (IDD3N * activeClocks + IDD2N * idleClocks);
  }
  return total;
}
