/** Latencies counted by size: exact below 1,024, within 1/64 above. */

const exact = 1024;
const exactBits = 10;
const partsPerOctave = 64;
const partBits = 6;
const buckets = exact + (31 - exactBits) * partsPerOctave;

export class LatencyHistogram {
  private readonly counts = new Uint32Array(buckets);
  total = 0;
  count = 0;

  /** @param latency a whole number from 0 to 2^31 - 1 */
  add(latency: number): void {
    this.total += latency;
    this.count++;
    this.counts[bucketOf(latency)]!++;
  }

  get average(): number {
    return this.count === 0 ? 0 : this.total / this.count;
  }

  /** The latency that a share of all does not exceed; above 1,023 the upper end of its bucket. 0 without any. */
  percentile(share: number): number {
    let left = Math.ceil(share * this.count);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0) return upperEnd(bucket);
    }
    return upperEnd(buckets - 1);
  }

  merge(other: LatencyHistogram): void {
    this.total += other.total;
    this.count += other.count;
    for (let bucket = 0; bucket < buckets; bucket++) this.counts[bucket]! += other.counts[bucket]!;
  }
}

function bucketOf(latency: number): number {
  if (latency < exact) return latency;
  const octave = 31 - Math.clz32(latency);
  const part = (latency >>> (octave - partBits)) - partsPerOctave;
  return exact + (octave - exactBits) * partsPerOctave + part;
}

function upperEnd(bucket: number): number {
  if (bucket < exact) return bucket;
  const octave = exactBits + Math.floor((bucket - exact) / partsPerOctave);
  const part = (bucket - exact) % partsPerOctave;
  return (partsPerOctave + part + 1) * 2 ** (octave - partBits) - 1;
}
