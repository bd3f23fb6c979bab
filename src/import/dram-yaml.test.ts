import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { capacityBytes, geometryOf, peakBandwidthMBps } from '../hw/dram/config.ts';
import { readDramFile } from './dram-yaml.ts';
import { messageOf, scratch } from './fixtures.test-helper.ts';
import { readText } from './read-file.ts';

const folder = fileURLToPath(new URL('../../hw-configs/dram/', import.meta.url));

describe('hw-configs/dram/', () => {
  const expected = {
    'ddr4-2400-x16.yaml': { name: 'DDR4-2400 x16', GBps: 19.277, MiB: 8192, ranks: 2 },
    'lpddr3-1600-x32.yaml': { name: 'LPDDR3-1600 x32', GBps: 12.8, MiB: 2048, ranks: 1 },
    'lpddr4-2400-x32.yaml': { name: 'LPDDR4-2400 x32', GBps: 9.6, MiB: 1024, ranks: 1 },
  };

  it('holds these memories, each with its source', () => {
    const found = readdirSync(folder).map((file) => {
      const config = readDramFile(join(folder, file));
      expect(config.source.length, file).toBeGreaterThan(20);
      const GBps = Math.round(peakBandwidthMBps(config)) / 1000;
      const { ranks } = geometryOf(config);
      return [file, { name: config.name, GBps, MiB: capacityBytes(config) / 2 ** 20, ranks }];
    });
    expect(Object.fromEntries(found)).toEqual(expected);
  });
});

describe('readDramFile', () => {
  const text = readText(join(folder, 'ddr4-2400-x16.yaml'), 'a memory file');
  const complaintAbout = (from: string, to: string): string => {
    const path = scratch('memory.yaml', text.replace(from, to));
    expect(text).toContain(from);
    return messageOf(() => readDramFile(path)).slice(path.length + 1);
  };

  it.each([
    ['kind: sdram', 'kind: dram', /^2:7: kind: expected one of ideal, sdram/],
    ['  CL: 17', '  CL: fast', /^\d+:7: CL: expected a number, got a string 'fast'/],
    ['  CL: 17', '  CAS: 17', /^\d+:3: unknown key 'CAS', expected one of /],
    [
      '  tRP: 17',
      '  tRP: 17\n  tRC: 55',
      /^\d+:8: tRC: 55 is less than tRAS \+ tRP = 39 \+ 17, expected at least 56/,
    ],
    ['channelSizeMiB: 8192', 'channelSizeMiB: 8000', /^\d+:19: channelSizeMiB: 8000 MiB make .* ranks/],
    ['rochrababgco', 'rochrabgco', /:\d+: addressMapping: .*expected/],
  ])('refuses %j turned into %j', (from, to, line) => {
    expect(complaintAbout(from, to)).toMatch(line);
  });

  it('refuses an ideal memory, a missing file and an empty one', () => {
    const ideal = scratch(
      'ideal.yaml',
      '\nkind: ideal\nbandwidthMBps: 9600\nlatencyNs: 50\ncapacityMiB: 64\n',
    );
    expect(messageOf(() => readDramFile(ideal))).toBe(
      `${ideal}:2:7: kind: an ideal memory has no banks and no controller, expected sdram`,
    );
    expect(messageOf(() => readDramFile(scratch('none.yaml')))).toContain('expected a memory file');
    expect(messageOf(() => readDramFile(scratch('empty.yaml', '')))).toContain('expected');
  });
});
