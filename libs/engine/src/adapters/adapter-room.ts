/**
 * A runner's room for LoRA adapters: the port under `AdapterSet`. An adapter has one of the slots from 0 to `slots` - 1, which the set assigns;
 * rows of a pass name it. Calls may come while a pass runs; they touch no slot that it takes.
 */
export interface AdapterRoom {
  readonly slots: number;
  /**
   * Reads what an adapter is and checks that it can be added to the model.
   * @throws Error with a sentence for people when it cannot
   */
  open(source: string, signal: AbortSignal): Promise<OpenedAdapter>;
  /** No row takes what stands in the slot any more. */
  unload(slot: number): Promise<void>;
}

export interface OpenedAdapter {
  /** Of its content, hex: what was computed with another version is no prefix of what this one computes. */
  readonly version: string;
  readonly rank: number;
  /** Memory that it takes while it is loaded. */
  readonly bytes: number;
  /** Rows may take the slot when it resolves; when it rejects the slot is free. */
  load(slot: number, signal: AbortSignal): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
