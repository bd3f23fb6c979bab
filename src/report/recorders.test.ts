/** What pictures are drawn from: bounded, and true to what was recorded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LevelRecorder } from './level-recorder.ts';
import { countNumbers, numberText, readNumbers } from './number-text.ts';
import { Track } from './page/track.ts';
import { TrackRecorder } from './track-recorder.ts';

const slices = fc.array(
  fc.record({ gap: fc.nat(50), cycles: fc.integer({ min: 1, max: 60 }), kind: fc.nat(2) }),
  { maxLength: 300 },
);

describe('numbers as text', () => {
  it('come back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 31 - 1)), (values) => {
        const text = numberText(values);
        expect(countNumbers(text)).toBe(values.length);
        expect([...readNumbers(text)]).toEqual(values);
      }),
    );
  });

  it('refuses what is no list of integers', () => {
    for (const text of [' ', '1 ', ' 1', '1  2', '1,2', '-1', '1.5', '1234567890123456', 'x']) {
      expect([text, countNumbers(text)]).toEqual([text, -1]);
    }
  });
});

describe('track recorder', () => {
  it('keeps every slice while they fit, and every busy cycle when they do not', () => {
    fc.assert(
      fc.property(slices, fc.integer({ min: 2, max: 40 }), (given, limit) => {
        const recorder = new TrackRecorder(limit);
        let now = 0;
        given.forEach(({ gap, cycles, kind }, index) => {
          recorder.add(now + gap, now + gap + cycles, kind, index);
          now += gap + cycles;
        });
        const track = recorder.track();
        expect(track.starts.length).toBeLessThanOrEqual(limit);
        expect(track.busy.reduce((a, b) => a + b, 0)).toBe(given.reduce((a, b) => a + b.cycles, 0));
        track.starts.forEach((start, i) => {
          expect(start).toBeGreaterThanOrEqual(i === 0 ? 0 : track.ends[i - 1]!);
          expect(track.busy[i]!).toBeLessThanOrEqual(track.ends[i]! - start);
        });
        if (given.length <= limit) {
          expect(track.resolutionCycles).toBe(1);
          expect(track.commands).toEqual(given.map((_, index) => index));
        }
      }),
    );
  });

  it('cuts off what another slice covers', () => {
    const recorder = new TrackRecorder(10);
    recorder.add(0, 10, 0, 0);
    recorder.add(5, 12, 1, 1);
    recorder.add(6, 11, 1, 2);
    expect(recorder.track()).toMatchObject({ starts: [0, 10], ends: [10, 12], commands: [0, 1] });
  });
});

describe('level recorder', () => {
  it('gives each bin the largest and the mean level, as counting cycle by cycle does', () => {
    const steps = fc.array(fc.record({ cycles: fc.nat(20), level: fc.nat(100) }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 2, max: 16 }), (given, limit) => {
        const recorder = new LevelRecorder(limit);
        const plain: number[] = [];
        let level = 0;
        for (const step of given) {
          for (let i = 0; i < step.cycles; i++) plain.push(level);
          recorder.set(plain.length, step.level);
          level = step.level;
        }
        plain.push(level);
        const { maxima, means } = recorder.bins(plain.length, 1);
        const { binCycles } = recorder;
        const bins = Array.from({ length: Math.ceil(plain.length / binCycles) }, (_, bin) =>
          plain.slice(bin * binCycles, (bin + 1) * binCycles),
        );
        expect(bins.length).toBeLessThanOrEqual(limit);
        expect(maxima).toEqual(bins.map((bin) => Math.max(...bin)));
        expect(means).toEqual(bins.map((bin) => Math.round(bin.reduce((a, b) => a + b, 0) / bin.length)));
      }),
    );
  });
});

describe('track of the page', () => {
  it('finds the busy cycles of any stretch, as counting does', () => {
    fc.assert(
      fc.property(slices, fc.nat(400), fc.nat(400), (given, a, b) => {
        const track = new Track({
          unit: 'unit',
          doings: ['a', 'b', 'c'],
          resolutionCycles: 1,
          slices: given.length,
          gaps: numberText(given.map(({ gap }) => gap)),
          cycles: numberText(given.map(({ cycles }) => cycles)),
          kinds: numberText(given.map(({ kind }) => kind)),
        });
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        let now = 0;
        let busy = 0;
        for (const { gap, cycles } of given) {
          now += gap;
          busy += Math.max(0, Math.min(to, now + cycles) - Math.max(from, now));
          now += cycles;
        }
        expect(track.busyWithin(from, to)).toBeCloseTo(busy, 6);
      }),
    );
  });
});
