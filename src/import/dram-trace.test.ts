import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestBatch } from '../hw/dram/replay.ts';
import { DramTraceReader, type TraceFormat } from './dram-trace.ts';
import { scratch } from './fixtures.test-helper.ts';

type Request = [address: number, write: boolean, clock: number];

async function readAll(path: string, format: TraceFormat = 'condensim'): Promise<Request[]> {
  const requests: Request[] = [];
  for await (const { count, addresses, writes, clocks } of new DramTraceReader(path, format)) {
    for (let at = 0; at < count; at++) requests.push([addresses[at]!, writes[at] === 1, clocks[at]!]);
  }
  return requests;
}

const readText = (content: string | Uint8Array, format?: TraceFormat): Promise<Request[]> =>
  readAll(scratch('t.trc', content), format);

/** The line that a trace is refused with, without the file's path. */
async function complaintAbout(content: string | Uint8Array, format?: TraceFormat): Promise<string> {
  const path = scratch('bad.trc', content);
  try {
    await readAll(path, format);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'InputError') throw error;
    expect(error.message.startsWith(`${path}:`)).toBe(true);
    expect(error.message).not.toContain('\n');
    return error.message.slice(path.length + 1);
  }
  throw new Error('was not refused');
}

describe('a trace', () => {
  it('has a request a line', async () => {
    expect(await readText('0x40 READ 0\n0xFf WRITE 12\n0X0 READ 12\n')).toEqual([
      [0x40, false, 0],
      [255, true, 12],
      [0, false, 12],
    ]);
  });

  it('may have blanks and blank lines, ends of lines as on Windows or none, decimal addresses', async () => {
    const text = '\n \t\r\n  64\tREAD   5 \r\n\r\n0064 WRITE 007\t\r\n0x00000000000000000001 READ 0';
    expect(await readText(text)).toEqual([
      [64, false, 5],
      [64, true, 7],
      [1, false, 0],
    ]);
  });

  it('goes to the ends of its ranges', async () => {
    const text = '0x1fffffffffffff READ 10000000000\n9007199254740991 WRITE 0\n';
    expect(await readText(text)).toEqual([
      [2 ** 53 - 1, false, 1e10],
      [2 ** 53 - 1, true, 0],
    ]);
  });

  it('of Ramulator has all requests at clock 0', async () => {
    expect(await readText('LD 64\nST 0x80\r\n\n  LD\t0', 'ramulator')).toEqual([
      [64, false, 0],
      [128, true, 0],
      [0, false, 0],
    ]);
  });

  it('may be gzip, in several parts, whatever its name', async () => {
    const text = '0x40 READ 0\n0x80 WR';
    const packed = [text, 'ITE 1\n'].flatMap((part) => [...gzipSync(part)]);
    expect(await readText(new Uint8Array(packed))).toEqual([
      [64, false, 0],
      [128, true, 1],
    ]);
    expect(await readAll(scratch('plain.trc.gz', '0x40 READ 0\n'))).toEqual([[64, false, 0]]);
  });

  it('is read alike however it is cut into pieces', async () => {
    const word = fc.constantFrom(' ', '  ', '\t', ' \t ');
    const line = fc.record({
      address: fc.maxSafeNat(),
      isHexadecimal: fc.boolean(),
      isPadded: fc.boolean(),
      write: fc.boolean(),
      clock: fc.nat(1e9),
      blanks: fc.tuple(word, word, word),
      end: fc.constantFrom('\n', '\r\n', ' \n', '\n\n', '\n  \r\n'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 20, maxLength: 60 }),
        fc.boolean(),
        async (lines, packed) => {
          const text = lines
            .map(({ address, isHexadecimal, isPadded, write, clock, blanks, end }) => {
              const digits = address.toString(isHexadecimal ? 16 : 10).padStart(isPadded ? 60 : 1, '0');
              const words = [`${isHexadecimal ? '0x' : ''}${digits}`, write ? 'WRITE' : 'READ', clock];
              return `${words[0]}${blanks[0]}${words[1]}${blanks[1]}${words[2]}${end}`;
            })
            .join('');
          // Many times a piece long, and each time cut elsewhere.
          const copies = Math.ceil(1_000_000 / text.length);
          const whole = text.repeat(copies);
          const requests = await readText(packed ? new Uint8Array(gzipSync(whole, { level: 1 })) : whole);
          expect(requests.length).toBe(copies * lines.length);
          const expected = lines.map(({ address, write, clock }): Request => [address, write, clock]);
          const wrong = requests.findIndex((request, index) => {
            const other = expected[index % lines.length]!;
            return request[0] !== other[0] || request[1] !== other[1] || request[2] !== other[2];
          });
          expect(wrong).toBe(-1);
        },
      ),
      { numRuns: 12, seed: 4 },
    );
  });

  it('is given out in the same arrays over and over', async () => {
    const path = scratch('long.trc', '0x40 READ 0\n'.repeat(300_000));
    const batches: RequestBatch[] = [];
    let requests = 0;
    for await (const batch of new DramTraceReader(path, 'condensim')) {
      batches.push(batch);
      requests += batch.count;
    }
    expect(requests).toBe(300_000);
    expect(batches.length).toBeGreaterThan(10);
    for (const name of ['addresses', 'writes', 'clocks'] as const) {
      expect(new Set(batches.map((batch) => batch[name])).size).toBe(1);
    }
    expect(batches[0]!.addresses.length).toBeLessThan(60_000);
  });

  it('says where the first address beyond the memory stands', async () => {
    const path = scratch('beyond.trc', '0xfff READ 0\n\n0x1000 READ 0\n0x2000 READ 0\n');
    const lineBeyond = async (capacity: number) => {
      const reader = new DramTraceReader(path, 'condensim', capacity);
      for await (const _ of reader);
      return reader.firstLineBeyond;
    };
    expect(await lineBeyond(0x1000)).toBe(3);
    expect(await lineBeyond(0x1001)).toBe(4);
    expect(await lineBeyond(0x4000)).toBe(0);
  });
});

describe('a malformed line', () => {
  const address = 'expected 0x and hexadecimal digits, or decimal digits';
  const cases: [text: string, complaint: string, format?: TraceFormat][] = [
    ['0xfg READ 0', `1:1: '0xfg' stands here, ${address}`],
    ['  ff READ 0', `1:3: 'ff' stands here, ${address}`],
    ['0x READ 0', `1:1: '0x' stands here, ${address}`],
    ['-64 READ 0', `1:1: '-64' stands here, ${address}`],
    ['READ 0x40 0', `1:1: 'READ' stands here, ${address}`],
    ['0\0 READ 0', `1:1: '0\\u0000' stands here, ${address}`],
    [
      '0x20000000000000 READ 0',
      "1:1: '0x20000000000000' stands here, expected an address of at most 2^53 - 1",
    ],
    [
      '9007199254740992 READ 0',
      "1:1: '9007199254740992' stands here, expected an address of at most 2^53 - 1",
    ],
    [`0x1${'0'.repeat(250)} READ 0`, '1:257: the line goes on here, expected at most 256 characters'],
    ['0x40', '1:5: the line ends here, expected READ or WRITE'],
    ['0x40 ', '1:6: the line ends here, expected READ or WRITE'],
    ['0x40 read 0', "1:6: 'read' stands here, expected READ or WRITE"],
    ['0x40 READS 0', "1:6: 'READS' stands here, expected READ or WRITE"],
    ['0x40 REA 0', "1:6: 'REA' stands here, expected READ or WRITE"],
    ['0x40 READ', '1:10: the line ends here, expected the clock, decimal digits'],
    ['0x40 READ 0x5', "1:11: '0x5' stands here, expected the clock, decimal digits"],
    ['0x40 READ 1.5', "1:11: '1.5' stands here, expected the clock, decimal digits"],
    ['0x40 READ 1e3', "1:11: '1e3' stands here, expected the clock, decimal digits"],
    ['0x40 READ 10000000001', "1:11: '10000000001' stands here, expected a clock of at most 10000000000"],
    [`0x40 READ ${'9'.repeat(240)}`, "9...' stands here, expected a clock of at most 10000000000"],
    ['0x40 READ 5 6', "1:13: '6' stands here, expected the end of the line"],
    ['0x40 READ 5 \ud83d\ude00', "1:13: '\ud83d\ude00' stands here, expected the end of the line"],
    [`0x40 READ 0${' '.repeat(250)}\n`, '1:257: the line goes on here, expected at most 256 characters'],
    [' '.repeat(100_000), '1:257: the line goes on here'],
    ['\0'.repeat(1_000_000), '1:257: the line goes on here'],
    ['LD 64', `1:1: 'LD' stands here, ${address}`],
    ['LD', '1:3: the line ends here, expected 0x and hexadecimal digits', 'ramulator'],
    ['LD 64 5', "1:7: '5' stands here, expected the end of the line", 'ramulator'],
    ['LDX 64', "1:1: 'LDX' stands here, expected LD or ST", 'ramulator'],
    ['0x40 READ 0', "1:1: '0x40' stands here, expected LD or ST", 'ramulator'],
  ];

  it.each(cases)('%j', async (text, complaint, format) => {
    expect(await complaintAbout(text, format)).toContain(complaint);
    // Nothing depends on what follows, nor on how it is packed.
    expect(await complaintAbout(`${text}\n0x0 READ 0\n`, format)).toContain(complaint);
    expect(await complaintAbout(new Uint8Array(gzipSync(text)), format)).toContain(complaint);
  });

  it('is counted from the beginning of the file', async () => {
    const before = '0x12345678 READ 12345\n'.repeat(54_321);
    const text = `${before}\n0x0 WRITE\n`;
    expect(await complaintAbout(text)).toMatch(/^54323:10: the line ends here/);
    expect(await complaintAbout(new Uint8Array(gzipSync(text)))).toMatch(/^54323:10: the line ends here/);
    expect(await complaintAbout(before + '1'.repeat(1_000_000))).toMatch(/^54322:257: the line goes on here/);
  });
});

describe('a file that is no trace', () => {
  const packed = new Uint8Array(gzipSync('0x40 READ 0\n'.repeat(10)));
  const random = '0x40 READ 0\n0x51c280 WRITE 777\n'.repeat(3);

  it.each([
    ['no byte', ''],
    ['blank lines', '\n\r\n  \n'],
    ['gzip of nothing', new Uint8Array(gzipSync(''))],
  ])('%s: no requests', async (_what, content) => {
    expect(await complaintAbout(content)).toBe(
      ' holds no requests, expected lines like 0xADDRESS READ|WRITE CLOCK',
    );
  });

  it('is cut off wherever it ends', async () => {
    for (let length = 2; length < packed.length; length++) {
      expect(await complaintAbout(packed.subarray(0, length))).toBe(
        ' is cut off, expected a whole gzip file',
      );
    }
  });

  it('is damaged', async () => {
    const trailing = new Uint8Array([...packed, 1, 2, 3]);
    expect(await complaintAbout(trailing)).toMatch(/^ is damaged gzip \(.*\), expected a whole gzip file$/);
    const checksum = packed.slice();
    checksum[packed.length - 5]! ^= 1;
    expect(await complaintAbout(checksum)).toMatch(/^ is damaged gzip \(incorrect data check\)/);
    // A changed byte behind the header is found out, or it changes nothing: the last bits of the data stand for nothing.
    const sound = new Uint8Array(gzipSync(random));
    const requests = await readText(sound);
    for (let at = 10; at < sound.length; at++) {
      const changed = sound.slice();
      changed[at]! ^= 0x10;
      try {
        expect(await readText(changed)).toEqual(requests);
      } catch {
        expect(await complaintAbout(changed)).toMatch(/ is damaged gzip| is cut off|^\d+:\d+: /);
      }
    }
  });

  it('unpacks to more than fits anywhere', async () => {
    const zeros = new Uint8Array(gzipSync(new Uint8Array(64_000_000)));
    expect(zeros.length).toBeLessThan(100_000);
    expect(await complaintAbout(zeros)).toMatch(/^1:257: the line goes on here/);
  });

  it('is no file', async () => {
    const missing = scratch('missing.trc');
    await expect(readAll(missing)).rejects.toThrow(`${missing}: cannot be read (no such file or folder)`);
    await expect(readAll(scratch('.'))).rejects.toThrow('is a folder, expected a trace');
    await expect(readAll('/dev/null')).rejects.toThrow('is not a regular file, expected a trace');
  });
});
