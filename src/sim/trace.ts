/** Where units report what they did and when; a run without an observer pays one null check. */
export interface Observer {
  /** A unit was busy with one command during [start, end) cycles. */
  slice?(unit: string, commandIndex: number, start: number, end: number): void;
  /** The sequencer handed a command to its queue, or passed a barrier. */
  dispatched?(commandIndex: number, cycle: number): void;
  /** A unit took a command out of its queue. */
  accepted?(commandIndex: number, cycle: number): void;
  /** A burst was offered to a memory with banks and rows, from a clock of its own on. */
  request?(write: boolean, address: number, clock: number): void;
  /** One DRAM transaction was issued. */
  transaction?(write: boolean, address: number, bytes: number, cycle: number): void;
  /** A memory with banks and rows got a command (`commandClasses`), in clocks of its own; -1 for what a command has not. */
  dramCommand?(
    channel: number,
    clock: number,
    command: number,
    bank: number,
    row: number,
    column: number,
  ): void;
  /** Data moved on an ideal memory's bus during [start, end), in ticks: `bandwidthMBps / gcd(bandwidthMBps, clockMHz)` a cycle. */
  bus?(write: boolean, start: number, end: number): void;
}

/** Hears now and then how far a run is: commands handed out so far, and the cycle. */
export type ProgressListener = (commands: number, cycle: number) => void;
