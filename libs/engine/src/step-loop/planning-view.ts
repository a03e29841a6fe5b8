import type { ModelRunnerLimits } from '../model-runner.js';
import type { ChunkPace } from './chunk-pace.js';
import type { Sequence } from './generation.js';
import type { KvPages } from './kv-pages.js';
import type { RestingSlots } from './resting-slots.js';

/** What planning looks at: a view of the loop's state. Planning changes nothing. */
export interface PlanningView {
  readonly limits: ModelRunnerLimits;
  readonly pace: Pick<ChunkPace, 'tokensBeside'>;
  readonly pages: KvPages;
  /** Ascending. */
  readonly freeSlots: readonly number[];
  /** What stands in free slots still. */
  readonly resting: Pick<RestingSlots, 'usefulFor' | 'leastMissed'>;
  /** KV memory that no slot has, in tokens. */
  readonly freeKvTokens: number;
  /** Slots whose prefix is being brought; some of a sequence that has left. */
  readonly openingCount: number;
  /** What each running sequence should find free for its next tokens when another one is admitted. */
  readonly headroomTokens: number;
  /** In the order in which they are to be admitted. */
  readonly waiting: Iterable<Sequence>;
  /** Sequences with a slot, in order of admission. */
  readonly live: readonly Sequence[];
  /** Those of `live` whose prompts are computed, in the order in which they get chunks. */
  readonly prefilling: readonly Sequence[];
  /** Whether a prompt that several sequences share is computed once. */
  readonly canCopySlots: boolean;
  /** Whether decoding sequences can be brought side by side. */
  readonly canMoveSlots: boolean;
}
