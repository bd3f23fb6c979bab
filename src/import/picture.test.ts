import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { seededPicture } from '../detect/picture.ts';
import { messageOf, scratch } from './fixtures.test-helper.ts';
import { decodePicture, readPicture, writePng } from './picture.ts';
import { writeFileAtomically } from './write-file.ts';

const picture = seededPicture(31, 17, 1);
const pngPath = scratch('made/here/p.png');
writePng(pngPath, picture);
const png = new Uint8Array(readFileSync(pngPath));

const rgba = new Uint8Array(31 * 17 * 4).fill(255);
for (let i = 0; i < 31 * 17; i++) rgba.set(picture.data.subarray(i * 3, i * 3 + 3), i * 4);
const jpg = new Uint8Array(jpeg.encode({ width: 31, height: 17, data: rgba }, 95).data);

describe('readPicture', () => {
  it('reads back the PNG it wrote', () => {
    expect(readPicture(pngPath)).toEqual(picture);
  });

  it('reads JPEG', () => {
    const { width, height, data } = readPicture(scratch('p.jpg', jpg));
    expect([width, height, data.length]).toEqual([31, 17, 31 * 17 * 3]);
    const error =
      data.reduce((total, value, i) => total + Math.abs(value - picture.data[i]!), 0) / data.length;
    expect(error).toBeLessThan(12);
  });

  it('reads grey PNG with an alpha channel as RGB', () => {
    const grey = PNG.sync.write(
      Object.assign(new PNG({ width: 1, height: 1 }), { data: Buffer.from([90, 90, 90, 10]) }),
      { colorType: 4 },
    );
    expect([...decodePicture(new Uint8Array(grey), 'g.png').data]).toEqual([90, 90, 90]);
  });

  it('refuses a PNG cut off anywhere', () => {
    for (let length = 8; length < png.length; length += length < 100 ? 1 : 37) {
      expect(messageOf(() => decodePicture(png.subarray(0, length), 'p.png'))).toBe(
        'p.png: is cut off before its end, expected a whole picture',
      );
    }
  });

  it('refuses a JPEG cut off anywhere', () => {
    for (let length = 3; length < jpg.length; length += 7) {
      expect(messageOf(() => decodePicture(jpg.subarray(0, length), 'p.jpg'))).toBe(
        'p.jpg: is cut off before its end, expected a whole picture',
      );
    }
  });

  it('answers damaged bytes with a picture or one line', () => {
    for (const [file, whole] of [
      ['p.png', png],
      ['p.jpg', jpg],
    ] as const) {
      for (let at = 3; at < whole.length; at += 5) {
        const damaged = whole.slice();
        damaged[at]! ^= 0x55;
        try {
          decodePicture(damaged, file);
        } catch (error) {
          expect((error as Error).name).toBe('InputError');
          expect((error as Error).message).toMatch(new RegExp(`^${file}: is .+, expected .+$`));
        }
      }
    }
  });

  it('checks the size before it decodes', () => {
    const huge = png.slice();
    new DataView(huge.buffer).setUint32(16, 100_000);
    expect(messageOf(() => decodePicture(huge, 'p.png'))).toBe(
      'p.png: is 100000 x 17 pixels, expected 1 x 1 to 8192 x 8192',
    );
    const frame = jpg.findIndex((byte, i) => byte === 0xff && jpg[i + 1] === 0xc0);
    const tall = jpg.slice();
    tall.set([0xff, 0xff], frame + 5);
    expect(messageOf(() => decodePicture(tall, 'p.jpg'))).toBe(
      'p.jpg: is 31 x 65535 pixels, expected 1 x 1 to 8192 x 8192',
    );
  });

  it('does not inflate more than the picture needs', () => {
    const chunk = (type: string, data: Uint8Array): Uint8Array => {
      const bytes = new Uint8Array(12 + data.length);
      new DataView(bytes.buffer).setUint32(0, data.length);
      bytes.set(new TextEncoder().encode(type), 4);
      bytes.set(data, 8);
      return bytes;
    };
    // 1 x 1, 8 bits RGB, interlaced.
    const header = new Uint8Array([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 1]);
    const bomb = new Uint8Array(deflateSync(new Uint8Array(5_000_000)));
    const parts = [
      png.subarray(0, 8),
      chunk('IHDR', header),
      chunk('IDAT', bomb),
      chunk('IEND', new Uint8Array()),
    ];
    const file = new Uint8Array(parts.flatMap((part) => [...part]));
    expect(messageOf(() => decodePicture(file, 'b.png'))).toMatch(
      /^b\.png: is damaged \(Cannot create a Buffer larger than/,
    );
  });

  it('refuses what is no picture', () => {
    expect(messageOf(() => readPicture(scratch('t.png', 'text')))).toMatch(
      /t\.png: is neither PNG nor JPEG, expected a picture$/,
    );
    expect(messageOf(() => readPicture(scratch('empty.png', '')))).toMatch(
      /empty\.png: is neither PNG nor JPEG/,
    );
    expect(messageOf(() => readPicture('/no/p.png'))).toBe(
      '/no/p.png: cannot be read (no such file or folder), expected a PNG or JPEG picture',
    );
  });
});

describe('writeFileAtomically', () => {
  it('makes folders, replaces files, writes through links and leaves nothing else', () => {
    const path = scratch('new/folder/f.txt');
    writeFileAtomically(path, 'one');
    writeFileAtomically(path, new Uint8Array([116, 119, 111]));
    expect(readFileSync(path, 'utf8')).toBe('two');
    symlinkSync(path, join(dirname(path), 'link'));
    writeFileAtomically(join(dirname(path), 'link'), 'three');
    expect(readFileSync(path, 'utf8')).toBe('three');
    expect(readdirSync(dirname(path)).sort()).toEqual(['f.txt', 'link']);
  });

  it('writes to what is no regular file without replacing it', () => {
    writeFileAtomically('/dev/null', 'x');
    expect(existsSync('/dev/null')).toBe(true);
    expect(messageOf(() => readPicture('/dev/null'))).toMatch(/not a regular file/);
  });

  it('refuses in one line', () => {
    const file = scratch('file', 'x');
    expect(messageOf(() => writeFileAtomically(join(file, 'below'), 'x'))).toBe(
      `${file}/below: cannot be written (a part of its path is a file, not a folder), expected a path that can`,
    );
    expect(messageOf(() => writeFileAtomically(dirname(file), 'x'))).toBe(
      `${dirname(file)}: is a folder, expected a file to write`,
    );
  });
});
