import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../core/diagnostics.ts';
import { placeWindow, realOutputs, type WindowAttributes } from './window.ts';

const square = (attributes: Partial<WindowAttributes>, side: number) =>
  placeWindow({ kernel: 2, stride: 2, padding: 'valid', ...attributes }, side, side);

describe('placeWindow', () => {
  it('rounds up on request, padding bottom and right as needed', () => {
    const placed = square({ ceil: true }, 207);
    expect(placed.output).toEqual([104, 104]);
    expect(placed.padding).toEqual({ top: 0, bottom: 1, left: 0, right: 1 });
    expect(square({}, 207).output).toEqual([103, 103]);
    expect(square({ ceil: true }, 208).padding.bottom).toBe(0);
  });

  it('drops a last window that would start behind the map', () => {
    expect(square({ kernel: 1, ceil: true }, 4).output).toEqual([2, 2]);
  });

  it('keeps the side with a stride of 1 and same padding', () => {
    const placed = square({ stride: 1, padding: 'same' }, 13);
    expect(placed.output).toEqual([13, 13]);
    expect(placed.padding).toEqual({ top: 0, bottom: 1, left: 0, right: 1 });
  });

  it('leaves every window a real cell, or refuses', () => {
    const attributes = fc.record({
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 5 }),
      dilation: fc.integer({ min: 1, max: 4 }),
      padding: fc.oneof(fc.constantFrom('same' as const, 'valid' as const), fc.integer({ min: 0, max: 6 })),
      ceil: fc.boolean(),
    });
    fc.assert(
      fc.property(attributes, fc.integer({ min: 1, max: 9 }), (given, side) => {
        let refused = false;
        let placed = placeWindow({ kernel: 1, stride: 1, padding: 0 }, side, side);
        try {
          placed = placeWindow(given, side, side);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          refused = true;
        }
        if (refused) return;
        const real = new Array<number>(placed.output[0]).fill(0);
        for (let tap = 0; tap < placed.kernel[0]; tap++) {
          const offset = tap * placed.dilation[0] - placed.padding.top;
          const { first, end } = realOutputs(side, real.length, placed.stride[0], offset);
          for (let at = 0; at < real.length; at++) {
            const cell = at * placed.stride[0] + offset;
            expect(at >= first && at < end).toBe(cell >= 0 && cell < side);
            if (cell >= 0 && cell < side) real[at]! += 1;
          }
        }
        expect(Math.min(...real)).toBeGreaterThan(0);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});
