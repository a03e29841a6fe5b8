import { describeAnswerStore } from './answer-store.conformance.js';
import { MemoryAnswerStore } from './memory-answer-store.js';

describeAnswerStore('in memory', async (bounds) => new MemoryAnswerStore(bounds));
