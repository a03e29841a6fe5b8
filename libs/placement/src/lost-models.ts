/** Models remembered after their last worker left. */
const REMEMBERED_MODELS = 1_024;

/** When models lost their last worker; the earliest are forgotten. */
export class LostModels {
  private readonly lostAtMs = new Map<string, number>();

  note(modelId: string, nowMs: number): void {
    this.lostAtMs.delete(modelId);
    this.lostAtMs.set(modelId, nowMs);
    if (this.lostAtMs.size > REMEMBERED_MODELS) this.lostAtMs.delete(this.lostAtMs.keys().next().value!);
  }

  lostWithin(modelId: string, withinMs: number, nowMs: number): boolean {
    const lostMs = this.lostAtMs.get(modelId);
    return lostMs !== undefined && nowMs - lostMs < withinMs;
  }
}
