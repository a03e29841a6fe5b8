import { CredentialStrategy } from './credential-strategy.js';
import { ANONYMOUS, type Principal } from './principal.js';

/** Lets everybody in, whatever they send; only for where nobody but this machine can ask. */
export class AnonymousStrategy extends CredentialStrategy {
  constructor() {
    super('anonymous');
  }

  override validate(): Principal {
    return ANONYMOUS;
  }
}
