import { Strategy } from 'passport';
import { ANONYMOUS } from './principal.js';

/** Lets everybody in, whatever they send; only for where nobody but this machine can ask. */
export class AnonymousStrategy extends Strategy {
  override readonly name = 'anonymous';

  override authenticate(): void {
    this.success(ANONYMOUS);
  }
}
