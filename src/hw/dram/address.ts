/** Addresses to channel, rank, bank group, bank, row and column, by a field-order string. */
import { geometryOf, type SdramConfig } from './config.ts';

interface Field {
  readonly shift: number;
  readonly mask: number;
}

/**
 * Cuts a burst's number into fields. The string names them from the most to the least significant
 * (`rochrababgco`: row, channel, rank, bank, bank group, column); bits above the device are masked away, so an address
 * beyond its end wraps.
 */
export class AddressMapping {
  readonly channel: Field;
  readonly row: Field;
  readonly column: Field;
  private readonly rank: Field;
  private readonly bankGroup: Field;
  private readonly bank: Field;
  private readonly banksPerGroup: number;
  private readonly banksPerRank: number;
  private readonly burstBytes: number;
  private readonly burstsPerByte: number;
  private readonly bursts: number;
  private readonly capacityBytes: number;

  constructor(config: SdramConfig) {
    const { organisation, controller } = config;
    const geometry = geometryOf(config);
    const sizes: Record<string, number> = {
      ro: organisation.rows,
      ch: organisation.channels,
      ra: geometry.ranks,
      ba: organisation.banksPerGroup,
      bg: organisation.bankGroups,
      co: geometry.columnBursts,
    };
    const fields: Record<string, Field> = {};
    let shift = 0;
    for (const name of controller.addressMapping.match(/../g)!.reverse()) {
      const size = sizes[name]!;
      fields[name] = { shift, mask: size - 1 };
      shift += Math.log2(size);
    }
    this.channel = fields.ch!;
    this.row = fields.ro!;
    this.column = fields.co!;
    this.rank = fields.ra!;
    this.bankGroup = fields.bg!;
    this.bank = fields.ba!;
    this.banksPerGroup = organisation.banksPerGroup;
    this.banksPerRank = geometry.banksPerRank;
    this.burstBytes = geometry.burstBytes;
    this.burstsPerByte = 1 / geometry.burstBytes;
    this.bursts = 2 ** shift;
    this.capacityBytes = this.bursts * this.burstBytes;
  }

  /** Bytes from an address to the same place of the next row: what an unbroken stream uses of every bank before. */
  get rowSpanBytes(): number {
    return this.burstBytes * 2 ** this.row.shift;
  }

  /** Whether a byte lies beyond the last one of the memory, and so wraps. */
  isBeyond(address: number): boolean {
    return address >= this.capacityBytes;
  }

  /** Number of the burst that holds a byte, below 2^31; what the other functions take. */
  burstOf(address: number): number {
    // Powers of two: the product is exact.
    const burst = Math.floor(address * this.burstsPerByte);
    // The remainder of large numbers is slow, and hardly ever needed.
    return burst < this.bursts ? burst : burst % this.bursts;
  }

  /** Bank within its channel: rank, then bank group, then bank, whatever the order of the address bits. */
  bankOf(burst: number): number {
    return (
      ((burst >>> this.rank.shift) & this.rank.mask) * this.banksPerRank +
      ((burst >>> this.bankGroup.shift) & this.bankGroup.mask) * this.banksPerGroup +
      ((burst >>> this.bank.shift) & this.bank.mask)
    );
  }

  channelOf(burst: number): number {
    return (burst >>> this.channel.shift) & this.channel.mask;
  }

  rowOf(burst: number): number {
    return (burst >>> this.row.shift) & this.row.mask;
  }

  columnOf(burst: number): number {
    return (burst >>> this.column.shift) & this.column.mask;
  }
}
