/** Where units report what they did and when; a run without an observer pays one null check. */
export interface Observer {
  /** A unit was busy with one command during [start, end) cycles. */
  slice?(unit: string, commandIndex: number, start: number, end: number): void;
  /** A burst was offered to a memory with banks and rows, from a clock of its own on. */
  request?(write: boolean, address: number, clock: number): void;
  /** One DRAM transaction was issued. */
  transaction?(write: boolean, address: number, bytes: number, cycle: number): void;
}
