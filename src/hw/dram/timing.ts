/** A config's timing as the delays the controller adds up. */
import { geometryOf, type SdramConfig } from './config.ts';
import { compileDelays, type Delays, type Parameters, sdramConstraints } from './constraints.ts';

/** Values of the names in the constraints' formulas, in clocks. */
export function timingParameters(config: SdramConfig): Parameters {
  const { timing, organisation } = config;
  const { tCK: _, tRC, ...clocks } = timing;
  // Without bank groups there is no "other group": the short delays hold everywhere.
  const single = organisation.bankGroups === 1;
  return {
    ...(clocks as Record<string, number>),
    tRC: tRC ?? timing.tRAS + timing.tRP,
    tRRD_L: single ? timing.tRRD_S : timing.tRRD_L,
    tCCD_L: single ? timing.tCCD_S : timing.tCCD_L,
    tWTR_L: single ? timing.tWTR_S : timing.tWTR_L,
    RL: timing.AL + timing.CL,
    WL: timing.AL + timing.CWL,
    BURST: geometryOf(config).burstClocks,
  };
}

/** Worked out once for each config: channels share them, and short replays do not wait for them. */
const knownDelays = new WeakMap<SdramConfig, Delays>();

export function delaysOf(config: SdramConfig): Delays {
  let delays = knownDelays.get(config);
  if (delays === undefined) {
    delays = compileDelays([...sdramConstraints, ...config.constraints], timingParameters(config));
    knownDelays.set(config, delays);
  }
  return delays;
}
