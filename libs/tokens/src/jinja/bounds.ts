import { ChatTemplateError } from '../chat-template-error.js';

export interface RenderLimits {
  /** Longest prompt, and longest text on the way to it, in UTF-16 code units. */
  readonly maxCharacters: number;
  /** Longest time of one rendering: it holds the thread. */
  readonly maxMs: number;
}

/** Chosen: far over any loop of a chat template, little memory. */
const MAX_ITEMS = 100_000;
/** How many steps are taken between two looks at the clock. */
const STEPS_PER_CLOCK_LOOK = 1024;

/** The bounds of one rendering: templates are programs, and come with the model from somewhere. */
export class RenderBounds {
  private steps = 0;
  private readonly startedMs = performance.now();

  constructor(private readonly limits: RenderLimits) {}

  /** Called for each statement, expression and compared or printed value. */
  step(): void {
    if (++this.steps % STEPS_PER_CLOCK_LOOK !== 0) return;
    if (performance.now() - this.startedMs > this.limits.maxMs) {
      throw new ChatTemplateError('too-large', `The chat template took longer than ${this.limits.maxMs} ms.`);
    }
  }

  /** Checks a text before it is made, or as it grows. */
  characters(count: number): void {
    if (count <= this.limits.maxCharacters) return;
    const bound = this.limits.maxCharacters;
    throw new ChatTemplateError('too-large', `The chat gives a prompt of more than ${bound} characters.`);
  }

  /** Checks a list that the template makes, before it is made. */
  items(count: number): void {
    if (count <= MAX_ITEMS) return;
    throw new ChatTemplateError('template', `The chat template counts to more than ${MAX_ITEMS}.`);
  }
}
