/** Which of a channel's entries has an address: a hash table over entry numbers, nothing allocated after the start. */

const none = -1;

export class AddressIndex {
  private readonly heads: Int32Array;
  private readonly next: Int32Array;
  private readonly shift: number;
  /** Entries in the table. */
  count = 0;

  /** @param addresses exact byte address of every entry; shared with whoever fills it */
  constructor(private readonly addresses: Float64Array) {
    const bits = 32 - Math.clz32(4 * addresses.length);
    this.heads = new Int32Array(2 ** bits).fill(none);
    this.next = new Int32Array(addresses.length).fill(none);
    this.shift = 32 - bits;
  }

  /** The entry with this very address, or -1. */
  find(address: number): number {
    if (this.count === 0) return none;
    let entry = this.heads[this.bucketOf(address)]!;
    while (entry !== none && this.addresses[entry] !== address) entry = this.next[entry]!;
    return entry;
  }

  insert(entry: number): void {
    const bucket = this.bucketOf(this.addresses[entry]!);
    this.next[entry] = this.heads[bucket]!;
    this.heads[bucket] = entry;
    this.count++;
  }

  remove(entry: number): void {
    const bucket = this.bucketOf(this.addresses[entry]!);
    const following = this.next[entry]!;
    let at = this.heads[bucket]!;
    if (at === entry) {
      this.heads[bucket] = following;
    } else {
      while (this.next[at] !== entry) at = this.next[at]!;
      this.next[at] = following;
    }
    this.count--;
  }

  private bucketOf(address: number): number {
    return Math.imul(address | 0, 0x9e3779b1) >>> this.shift;
  }
}
