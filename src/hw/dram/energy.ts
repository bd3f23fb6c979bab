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
  // Volts times milliamperes times nanoseconds are picojoules.
  const perClock = energy.VDD * nanoseconds * devicesPerRank;
  const { tRAS, tRP, tRFC } = timing;
  const tRC = timing.tRC ?? tRAS + tRP;
  const idleClocks = clocks * ranks * organisation.channels - activeClocks;
  return {
    activate: activates * perClock * (energy.IDD0 * tRC - energy.IDD3N * tRAS - energy.IDD2N * (tRC - tRAS)),
    read: readBursts * perClock * burstClocks * (energy.IDD4R - energy.IDD3N),
    write: writeBursts * perClock * burstClocks * (energy.IDD4W - energy.IDD3N),
    refresh: refreshes * perClock * tRFC * (energy.IDD5AB - energy.IDD3N),
    background: perClock * (energy.IDD3N * activeClocks + energy.IDD2N * idleClocks),
  };
}
