import type { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import type { Value } from './values.js';

/** One method of a type. */
export type Method<Receiver> = (receiver: Receiver, given: Arguments, bounds: RenderBounds) => Value;
