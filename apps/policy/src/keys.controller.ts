import { Controller, Get, Inject } from '@nestjs/common';
import { PolicySigner } from './policy-signer.js';

/** The public keys that bundles and exceptions are signed with, as a JWK Set. For anybody: they are no secret. */
@Controller('policy/v1/keys')
export class KeysController {
  constructor(@Inject(PolicySigner) private readonly signer: PolicySigner) {}

  @Get()
  keys(): object {
    const keys = this.signer.publicKeys.map((key) => ({ ...key, use: 'sig', alg: 'EdDSA' }));
    return { keys };
  }
}
