/** A memory of several channels as its requesters see it: one request a clock, in order. */
import { AddressMapping } from './address.ts';
import { Channel, type ChannelListener } from './channel.ts';
import type { SdramConfig } from './config.ts';

export class MemoryController {
  readonly mapping: AddressMapping;
  readonly channels: readonly Channel[];
  private lastAccepted = -1;

  /** @param listenerOf what hears of a channel's commands and completions */
  constructor(config: SdramConfig, listenerOf: (channel: number) => ChannelListener) {
    this.mapping = new AddressMapping(config);
    this.channels = Array.from(
      { length: config.organisation.channels },
      (_, channel) => new Channel(config, this.mapping, listenerOf(channel)),
    );
  }

  /**
   * Offers a request from clock `arrival` on until its channel accepts it, behind all requests before; returns the
   * clock of acceptance. Requests are of the same data if they have the same `address` (a byte, at most 2^53).
   */
  offer(write: boolean, address: number, tag: number, arrival: number): number {
    const burst = this.mapping.burstOf(address);
    const earliest = arrival > this.lastAccepted ? arrival : this.lastAccepted + 1;
    const channel = this.channels[this.mapping.channelOf(burst)]!;
    this.lastAccepted = channel.accept(write, address, burst, tag, earliest);
    return this.lastAccepted;
  }
}
